"""Blocks of the U-Net of DDPM: Ho et al. 2020 (arXiv:2006.11239), Appendix B."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.networks.layers.initialization import initialize_glorot

# By the number of dimensions of a map.
CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d]] = {1: nn.Conv1d, 2: nn.Conv2d}
GROUPS = 32  # of group norm, at most
LEAST = 4  # channels of a group, as in the paper
EPS = 1e-6  # of group norm, that of TensorFlow
TINY = 1e-10  # scale of the initial weights of layers that start at zero


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups_of(channels), channels, eps=EPS)


def groups_of(channels: int) -> int:
    """Returns the number of groups, which have at least LEAST channels if there are as many.

    The time is added to all places of a channel alike, and the norm of a single channel would
    remove it.
    """
    groups = math.gcd(GROUPS, channels)
    while groups > 1 and channels // groups < LEAST:
        groups //= 2
    return groups


def everywhere(features: Tensor, x: Tensor) -> Tensor:
    """Returns features (N, C) in a shape that broadcasts against maps (N, C, *map)."""
    return features.view(*features.shape, *[1] * (x.ndim - 2))


class AdaptiveGroupNorm(nn.Module):
    """Group norm whose gains and biases are linear in a style: Xiao et al. 2022, Appendix C.

    (arXiv:2112.07804.) At the start gains are about 1 and biases about 0.
    """

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.groups = groups_of(channels)
        self.style = nn.Linear(style, 2 * channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(N, C, *map) and styles (N, S) to (N, C, *map)."""
        gain, bias = everywhere(self.style(style), x).chunk(2, 1)
        return (1 + gain) * F.group_norm(x, self.groups, eps=EPS) + bias


class ResidualBlock(nn.Module):
    """Norm, SiLU, conv, plus the time; norm, SiLU, dropout, conv; plus a shortcut.

    With `style` > 0 the norm layers take a style of so many features.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        time: int,
        dropout: float,
        style: int = 0,
        dimensions: int = 2,
    ) -> None:
        super().__init__()
        conv = CONVOLUTIONS[dimensions]
        self.norm1, self.norm2 = (
            AdaptiveGroupNorm(channels, style) if style else group_norm(channels)
            for channels in (inputs, outputs)
        )
        self.conv1 = conv(inputs, outputs, 3, padding=1)
        self.conv2 = conv(outputs, outputs, 3, padding=1)
        self.time = nn.Linear(time, outputs)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = conv(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor, style: Tensor | None = None) -> Tensor:
        """Maps (N, inputs, *map) and activated times (N, T) to maps (N, outputs, *map)."""
        styles = () if style is None else (style,)
        h = self.conv1(F.silu(self.norm1(x, *styles))) + everywhere(self.time(time), x)
        h = self.conv2(self.dropout(F.silu(self.norm2(h, *styles))))
        shortcut: Tensor = self.shortcut(x)
        return shortcut + h


class AttentionBlock(nn.Module):
    """Self-attention over all places of a map, plus its input."""

    def __init__(self, channels: int, heads: int, dimensions: int = 2) -> None:
        super().__init__()
        conv = CONVOLUTIONS[dimensions]
        self.heads = heads
        self.norm = group_norm(channels)
        self.queries = conv(channels, channels, 1)
        self.keys = conv(channels, channels, 1)
        self.values = conv(channels, channels, 1)
        self.output = conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = (self.split(layer(h)) for layer in (self.queries, self.keys, self.values))
        h = F.scaled_dot_product_attention(q, k, v)  # (N, heads, places, C / heads)
        h = self.output(h.transpose(2, 3).reshape(x.shape))
        return x + h

    def split(self, x: Tensor) -> Tensor:
        """(N, C, *map) to (N, heads, places, C / heads)."""
        return x.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)


class Downsample(nn.Module):
    """A convolution with stride 2."""

    def __init__(self, channels: int, dimensions: int = 2) -> None:
        super().__init__()
        self.conv = CONVOLUTIONS[dimensions](channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        # As TensorFlow pads an even side.
        halved: Tensor = self.conv(F.pad(x, (0, 1) * (x.ndim - 2)))
        return halved


class Upsample(nn.Module):
    """Nearest-neighbour upsampling and a convolution."""

    def __init__(self, channels: int, dimensions: int = 2) -> None:
        super().__init__()
        self.conv = CONVOLUTIONS[dimensions](channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        doubled: Tensor = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        return doubled


def initialize(network: nn.Module) -> None:
    """Glorot-uniform weights, zero biases, and almost zero for the last layer of each block."""
    initialize_glorot(network)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            zero(module.conv2)
        elif isinstance(module, AttentionBlock):
            zero(module.output)


def zero(layer: nn.Conv1d | nn.Conv2d) -> None:
    """Initializes a layer to almost zero: the variance of its weights is scaled by TINY."""
    nn.init.xavier_uniform_(layer.weight, math.sqrt(TINY))
