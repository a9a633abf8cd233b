"""Augmentations of the critics' inputs, one file each. Importing this package registers them."""

from gan_cli.augment.augment import Augment, augments
from gan_cli.utils.discovery import import_submodules

__all__ = ["Augment", "augments"]
import_submodules(__name__, __path__)
