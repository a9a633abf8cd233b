"""Normalization layers: an option of every network, with one meaning everywhere."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gan_cli.utils.errors import ConfigError

Norm = Literal["batch", "layer", "instance", "none"]


class Normalize(nn.Module):
    """One norm; with `classes`, gain and bias are looked up by label.

    That is conditional batch norm: Dumoulin et al. 2017 (arXiv:1610.07629), Equation 5.
    """

    def __init__(self, norm: Norm, channels: int, classes: int = 0, maps: bool = True) -> None:
        super().__init__()
        self.norm = normalization(norm, channels, affine=not classes, maps=maps)
        self.gain = nn.Embedding(classes, channels) if classes else None
        self.bias = nn.Embedding(classes, channels) if classes else None
        if self.gain is not None and self.bias is not None:
            nn.init.ones_(self.gain.weight)
            nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.norm(x)  # (N, C) or (N, C, H, W)
        if self.gain is None or self.bias is None:
            return x
        assert label is not None, "a conditional network was called without labels"
        shape = (*x.shape[:2], *(1,) * (x.ndim - 2))
        gain, bias = (table(label).to(x.dtype).view(shape) for table in (self.gain, self.bias))
        return torch.addcmul(bias, gain, x)


def normalization(norm: Norm, channels: int, affine: bool, maps: bool) -> nn.Module:
    """The layer for feature maps (N, C, H, W), or for vectors (N, C) when not `maps`."""
    if norm == "batch":
        kind = nn.BatchNorm2d if maps else nn.BatchNorm1d
        return kind(channels, affine=affine)
    if norm == "layer":  # one group: mean and variance over all of a sample, gain per channel
        return nn.GroupNorm(1, channels, affine=affine)
    if norm == "instance":
        if not maps:
            raise ConfigError(
                "norm: 'instance' needs feature maps, these are vectors; set norm=layer"
            )
        return nn.InstanceNorm2d(channels, affine=affine)
    return nn.Identity()


def normalize_spectra(network: nn.Module) -> None:
    """Miyato et al. 2018 (arXiv:1802.05957), Equation 8, on every weight matrix of `network`.

    One power iteration a forward pass in train mode. Initialize first: what is assigned to a
    parametrized weight afterwards is lost.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            parametrizations.spectral_norm(module)
