"""Noise schedules. Importing this package registers all of them."""

from gan_cli.diffusion.schedules.schedule import noise_schedules
from gan_cli.utils.discovery import import_submodules

__all__ = ["noise_schedules"]
import_submodules(__name__, __path__)
