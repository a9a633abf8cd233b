"""Small pieces of super-resolution for tests."""

import torch
from torch import nn

from gan_cli.data.spec import Field, Spec
from gan_cli.networks import networks


def spec_of(size: int = 16, factor: int = 4, channels: int = 3, source: int | None = None) -> Spec:
    """The spec of pairs whose sources are `size` pixels wide."""
    large = (channels, factor * size, factor * size)
    small = (source or channels, size, size)
    return Spec({"source": Field("image", small), "target": Field("image", large)}, "target")


def built(name: str, size: int = 16, factor: int = 4, channels: int = 3, **options) -> nn.Module:
    torch.manual_seed(0)
    spec = spec_of(size, factor, channels)
    return networks.build({"name": name, **options}, spec, where="model.networks.it")
