"""The registry of networks of perceptual losses, and what one returns."""

from typing import Any, Protocol

from torch import Tensor

from gan_cli.config.named import Node
from gan_cli.config.registry import Registry


class PerceptualNetwork(Protocol):
    """A module without trained parameters; built from its config keys alone.

    Raises ConfigError if its weights are unavailable. It belongs to no player and is stored in no
    checkpoint.
    """

    def __call__(self, images: Tensor, /) -> dict[str, tuple[Tensor, float]]:
        """Maps images (N, C, H, W) in [-1, 1] to feature maps by layer, each with its weight."""
        ...

    def to(self, device: Any, /) -> Any: ...


perceptual_networks: Registry[PerceptualNetwork] = Registry("perceptual network")


class PerceptualNode(Node):
    """The config of a perceptual network among the options of a game."""

    registry = perceptual_networks
    expected = "a name or the keys of a perceptual network"
    advice = "; type {}.name=vgg19, or {}=null"
