"""The registry of networks of perceptual losses, and what one returns."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from gan_cli.config.registry import Component, Registry
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import as_typed


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


class PerceptualNode(Component):
    """The config of a perceptual network among the options of a game."""

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> Any:
        node = {"name": value} if isinstance(value, str) else value
        if not isinstance(node, Mapping):
            faults.append(
                f"{where}: expected a name or the keys of a perceptual network, got "
                f"{as_typed(value)}; type {where}.name=vgg19, or {where}=null"
            )
            return value
        try:
            return cls(name=node.get("name"), **perceptual_networks.check(node, where))
        except ConfigError as error:
            faults += error.faults
            return value
