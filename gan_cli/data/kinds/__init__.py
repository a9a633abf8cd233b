"""Kinds of samples, one file each. Importing this package registers all of them."""

from gan_cli.data.kinds.kind import Context, Kind, kind_of, kinds, recognized
from gan_cli.utils.discovery import import_submodules

__all__ = ["Context", "Kind", "kind_of", "kinds", "recognized"]
import_submodules(__name__, __path__)
