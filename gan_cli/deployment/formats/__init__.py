"""Formats of gan-export, one file each. Importing this package registers them."""

from gan_cli.deployment.formats.format import ModelFormat, model_formats
from gan_cli.utils.discovery import import_submodules

__all__ = ["ModelFormat", "model_formats"]
import_submodules(__name__, __path__)
