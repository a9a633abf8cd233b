"""The registry of degradations, which make the source of a pair from its target."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from gan_cli.config.registry import Component, Registry
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise
from gan_cli.utils.text import as_typed


class Degradation(Protocol):
    """A function of images; its keyword-only parameters are its config keys."""

    def __call__(self, images: Tensor, noise: Noise) -> Tensor:
        """Returns sources (N, C', H', W') uint8 of images (N, C, H, W) uint8.

        A source depends on its own image and on its own random numbers alone. Raises ConfigError
        for images that it is not made for.
        """
        ...


degradations: Registry[Tensor] = Registry("degradation")


class DegradationNode(Component):
    """The config of a degradation: its name, or its keys."""

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> Any:
        node = {"name": value} if isinstance(value, str) else value
        if not isinstance(node, Mapping):
            faults.append(f"{where}: expected the name of a degradation, got {as_typed(value)}")
            return value
        try:
            return cls(name=node.get("name"), **degradations.check(node, where))
        except ConfigError as error:
            faults += error.faults
            return value
