"""Normalization layers and spectral normalization, options of all networks."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gan_cli.utils.errors import ConfigError

Norm = Literal["batch", "layer", "instance", "none"]


class Normalize(nn.Module):
    """A normalization layer, whose gain and bias depend on the label if there are `classes`.

    Conditional batch norm: Dumoulin et al. 2017 (arXiv:1610.07629), Equation 5.
    """

    def __init__(
        self, norm: Norm, channels: int, classes: int = 0, maps: bool = True, sound: bool = False
    ) -> None:
        super().__init__()
        self.norm = normalization(norm, channels, affine=not classes, maps=maps, sound=sound)
        self.gain = nn.Embedding(classes, channels) if classes else None
        self.bias = nn.Embedding(classes, channels) if classes else None
        if self.gain is not None and self.bias is not None:
            nn.init.ones_(self.gain.weight)
            nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.norm(x)  # (N, C), (N, C, T) or (N, C, H, W)
        if self.gain is None or self.bias is None:
            return x
        assert label is not None, "a conditional network was called without labels"
        shape = (*x.shape[:2], *(1,) * (x.ndim - 2))
        gain, bias = (table(label).to(x.dtype).view(shape) for table in (self.gain, self.bias))
        return torch.addcmul(bias, gain, x)


def normalization(
    norm: Norm, channels: int, affine: bool, maps: bool, sound: bool = False
) -> nn.Module:
    """The layer for feature maps (N, C, H, W), or for vectors (N, C) if not `maps`.

    With `sound`, maps are (N, C, T).
    """
    if norm == "batch":
        kind = nn.BatchNorm2d if maps and not sound else nn.BatchNorm1d
        return kind(channels, affine=affine)
    if norm == "layer":  # mean and variance over the whole sample, gain and bias per channel
        return nn.GroupNorm(1, channels, affine=affine)
    if norm == "instance":
        if not maps:
            raise ConfigError(
                "norm: 'instance' needs feature maps, but these are vectors; set norm=layer"
            )
        kind_of_maps = nn.InstanceNorm1d if sound else nn.InstanceNorm2d
        return kind_of_maps(channels, affine=affine)
    return nn.Identity()


def apply_spectral_norm(network: nn.Module) -> None:
    """Applies spectral normalization to all weights of `network`, in place.

    Miyato et al. 2018 (arXiv:1802.05957), Equation 8, with one power iteration per forward pass in
    training mode. Weights must be initialized before: assignments to parametrized weights are lost.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(module)
