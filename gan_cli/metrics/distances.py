"""Differentiable distances between samples, by which paths and inversions are measured."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from gan_cli.config.named import Node
from gan_cli.config.registry import Registry
from gan_cli.data.spec import Field
from gan_cli.metrics.features.untrained import RandomFeatures
from gan_cli.utils.errors import ConfigError


class Distance(Protocol):
    """Built from (field of the samples, device); raises ConfigError if it is unavailable."""

    name: ClassVar[str]

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Returns squared distances (N,) of samples (N, *shape) in model form, differentiable."""
        ...


distances: Registry[Distance] = Registry("distance")


class DistanceNode(Node):
    """A distance among the options of a metric or a command: a name, or a name with options."""

    registry = distances
    expected = "the name of a distance, such as random, or its keys"


@distances.register("pixels")
class PixelDistance:
    """Mean squared difference of the numbers of a sample, of any kind."""

    name: ClassVar[str] = "pixels"

    def __init__(self, field: Field, device: torch.device) -> None:
        pass

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return (a.float() - b.float()).square().flatten(1).mean(1)


@distances.register("random")
class RandomDistance:
    """Mean squared differences of pixels and of the maps of a fixed random network, summed up.

    The network, that of features=random, has three layers. For images of any size; no weights.
    """

    name: ClassVar[str] = "random"

    def __init__(self, field: Field, device: torch.device) -> None:
        if field.kind != "image":
            raise ConfigError(
                f"distance: random compares images, and these samples are of kind {field.kind}; "
                "type distance=pixels"
            )
        self.network = RandomFeatures(field.shape[0]).to(device)

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        pairs = [(a.float(), b.float())]
        pairs += zip(self.network.maps(a.float()), self.network.maps(b.float()), strict=True)
        return torch.stack([(x - y).square().flatten(1).mean(1) for x, y in pairs]).sum(0)
