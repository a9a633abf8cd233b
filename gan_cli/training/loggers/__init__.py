"""Loggers of a training, one file each. Importing this package registers them."""

from gan_cli.training.loggers.backend import (
    Backend,
    Card,
    LoggedRun,
    Picture,
    Recording,
    Writing,
    loggers,
)
from gan_cli.utils.discovery import import_submodules

__all__ = ["Backend", "Card", "LoggedRun", "Picture", "Recording", "Writing", "loggers"]
import_submodules(__name__, __path__)
