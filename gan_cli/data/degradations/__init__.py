"""Degradations, which make the source of a pair from its target, one file each.

Importing this package registers them.
"""

from gan_cli.data.degradations.degradation import Degradation, degradations
from gan_cli.utils.discovery import import_submodules

__all__ = ["Degradation", "degradations"]
import_submodules(__name__, __path__)
