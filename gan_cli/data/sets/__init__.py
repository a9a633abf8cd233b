"""Data sets, one file each. Importing this package registers all of them."""

from gan_cli.data.dataset import datasets
from gan_cli.utils.discovery import import_submodules

__all__ = ["datasets"]
import_submodules(__name__, __path__)
