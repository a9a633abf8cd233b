"""Networks, one file per architecture. Importing this package registers all of them."""

from gan_cli.networks.network import networks
from gan_cli.utils.discovery import import_submodules

__all__ = ["networks"]
import_submodules(__name__, __path__)
