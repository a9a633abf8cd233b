"""Loggers of a training, one file each. Importing this package registers them."""

from gan_cli.training.loggers.backend import Backend, Card, LoggedRun, Picture, loggers
from gan_cli.utils.discovery import import_submodules

__all__ = ["Backend", "Card", "LoggedRun", "Picture", "loggers"]
import_submodules(__name__, __path__)
