"""Adversarial losses and penalties. Importing this package registers all of them."""

from gan_cli.losses import f_divergences
from gan_cli.losses.objective import losses
from gan_cli.losses.penalty import penalties
from gan_cli.utils.discovery import import_submodules

__all__ = ["losses", "penalties"]
import_submodules(__name__, __path__)
import_submodules(f_divergences.__name__, f_divergences.__path__)
