"""Metrics, one file each. Importing this package registers them and their features."""

from gan_cli.metrics import features
from gan_cli.metrics.metric import extractors, metrics
from gan_cli.utils.discovery import import_submodules

__all__ = ["extractors", "metrics"]
import_submodules(__name__, __path__)
import_submodules(features.__name__, features.__path__)
