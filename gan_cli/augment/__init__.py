"""Augmentations of the critics' inputs, one file each. Importing this package registers them."""

from gan_cli.augment.augment import Augment, HasStrength, TransformsTogether, augments
from gan_cli.utils.discovery import import_submodules

__all__ = ["Augment", "HasStrength", "TransformsTogether", "augments"]
import_submodules(__name__, __path__)
