"""Health in words: cheap signals at every reading, and what they add up to."""

from gan_cli.health.monitor import Health
from gan_cli.health.watch import Finding

__all__ = ["Finding", "Health"]
