"""Games, one file per set of rules. Importing this package registers all of them."""

from gan_cli.games.game import games
from gan_cli.utils.discovery import import_submodules

__all__ = ["games"]
import_submodules(__name__, __path__)
