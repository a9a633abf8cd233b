"""Export formats of gan-sample, one file each. Importing this package registers them."""

from gan_cli.sampling.exports.export import (
    PHOTO_FORMATS,
    DrawnSamples,
    Export,
    check_formats,
    export,
    exports,
    fits,
    fitting,
)
from gan_cli.utils.discovery import import_submodules

__all__ = [
    "PHOTO_FORMATS",
    "DrawnSamples",
    "Export",
    "check_formats",
    "export",
    "exports",
    "fits",
    "fitting",
]
import_submodules(__name__, __path__)
