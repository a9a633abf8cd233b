"""Networks whose features images are compared in, one per file. They are fixed, never trained."""

from gan_cli.games.perceptual.features import PerceptualNode, perceptual_networks
from gan_cli.utils.discovery import import_submodules

__all__ = ["PerceptualNode", "perceptual_networks"]
import_submodules(__name__, __path__)
