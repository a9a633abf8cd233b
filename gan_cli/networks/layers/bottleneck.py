"""Residual blocks of R3GAN: inverted bottlenecks with grouped convolutions, without norm layers.

Huang et al. 2024 (arXiv:2501.05441), Section 4. What norm layers do for the start of training, the
initialization does: that of Fixup (Zhang et al. 2019, arXiv:1901.09321), Section 3.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.networks.layers.conv import GroupedConv2d
from gan_cli.utils.errors import ConfigError

SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # that keeps the second moment: He et al. 2015, Equation 14
LAYERS = 3  # convolutions of a block


class Bottleneck(nn.Module):
    """x plus 1x1 convolution, leaky ReLU, grouped 3x3, leaky ReLU, 1x1 convolution of x.

    The block is the identity at first, since the last convolution starts at zero. `depth` is the
    number of blocks of the network. An optimizer step changes the output of the network by an
    amount that does not grow with it, if the other convolutions are weaker by
    depth^(-1 / (2 LAYERS - 2)).
    """

    def __init__(self, width: int, expansion: int, group_width: int, depth: int) -> None:
        super().__init__()
        inner = expansion * width
        self.expand = nn.Conv2d(width, inner, 1)
        self.spatial = GroupedConv2d(inner, inner, 3, groups(inner, group_width))
        self.compress = nn.Conv2d(inner, width, 1, bias=False)
        for layer in (self.expand, self.spatial):
            scaled_normal(layer, GAIN * depth ** (-1 / (2 * LAYERS - 2)))
        nn.init.zeros_(self.compress.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to (N, width, H, W)."""
        h = F.leaky_relu(self.expand(x), SLOPE)
        h = F.leaky_relu(self.spatial(h), SLOPE)
        return x + self.compress(h)


def groups(channels: int, group_width: int) -> int:
    """The cardinality of Xie et al. 2017: groups of `group_width` channels, or one of fewer."""
    width = min(channels, group_width)
    if channels % width:
        fitting = [n for n in range(1, group_width) if channels % n == 0][-1]
        raise ConfigError(
            f"group_width: {channels} channels (expansion * width) are no multiple of "
            f"{group_width}; set group_width={fitting}"
        )
    return channels // width


def scaled_normal(layer: nn.Conv2d | nn.Linear, gain: float = 1) -> None:
    """Weights from N(0, gain^2 / fan_in): He et al. 2015 (arXiv:1502.01852); biases are 0."""
    nn.init.normal_(layer.weight, 0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
