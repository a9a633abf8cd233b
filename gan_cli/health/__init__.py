"""Health of a run: signals read with the log, and findings reported in words."""

from gan_cli.health.findings import Finding
from gan_cli.health.monitor import Health
from gan_cli.health.verdict import Verdict

__all__ = ["Finding", "Health", "Verdict"]
