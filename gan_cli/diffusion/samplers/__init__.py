"""Samplers, one file each. Importing this package registers all of them."""

from gan_cli.diffusion.samplers.sampler import samplers
from gan_cli.utils.discovery import import_submodules

__all__ = ["samplers"]
import_submodules(__name__, __path__)
