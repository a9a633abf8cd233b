"""The registry of degradations, which make the source of a pair from its target."""

from typing import Protocol

from torch import Tensor

from gan_cli.config.named import Node
from gan_cli.config.registry import Registry
from gan_cli.utils.noise import Noise


class Degradation(Protocol):
    """A function of images; its keyword-only parameters are its config keys."""

    def __call__(self, images: Tensor, noise: Noise) -> Tensor:
        """Returns sources (N, C', H', W') uint8 of images (N, C, H, W) uint8.

        A source depends on its own image and on its own random numbers alone. Raises ConfigError
        for images that it is not made for.
        """
        ...


degradations: Registry[Tensor] = Registry("degradation")


class DegradationNode(Node):
    """The config of a degradation: its name, or its keys."""

    registry = degradations
    expected = "the name of a degradation"
