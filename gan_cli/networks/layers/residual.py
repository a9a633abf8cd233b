"""Residual blocks of WGAN-GP and SNGAN.

Gulrajani et al. 2017 (arXiv:1704.00028) and Miyato et al. 2018 (arXiv:1802.05957), appendices. They
differ from He et al. 2016 in the position of the resizing.
"""

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.networks.layers.initialization import initialize_glorot
from gan_cli.networks.layers.norm import Norm, Normalize


class UpBlock(nn.Module):
    """Norm, ReLU, upsampling, convolution, norm, ReLU, convolution, plus an upsampled shortcut.

    `norm` makes the norm layer for so many channels.
    """

    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm1 = norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, condition: Any) -> Tensor:
        """`condition` is what the norm layers take besides maps, such as labels (N,)."""
        h = self.conv1(double(F.relu(self.norm1(x, condition))))
        h = self.conv2(F.relu(self.norm2(h, condition)))
        # A 1x1 convolution commutes with nearest-neighbour upsampling, and costs a quarter before.
        return h + double(self.shortcut(x))  # (N, outputs, 2 H, 2 W)


class DownBlock(nn.Module):
    """Norm, ReLU, convolution, norm, ReLU, convolution, pooling, plus a pooled shortcut.

    The input of the `first` block is an image: the block has no norm, and no ReLU before the first
    convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, norm: Norm, halves: bool, first: bool = False
    ) -> None:
        super().__init__()
        self.first, self.halves = first, halves
        self.norm1 = Normalize("none" if first else norm, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = Normalize("none" if first else norm, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        changes = halves or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.first else F.relu(self.norm1(x))
        h = self.conv2(F.relu(self.norm2(self.conv1(h))))
        if self.halves:  # the 1x1 convolution also commutes with average pooling
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return h + self.shortcut(x)  # (N, outputs, H / 2, W / 2) or (N, outputs, H, W)


def double(x: Tensor) -> Tensor:
    """Upsamples (N, C, H, W) to (N, C, 2 H, 2 W)."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def initialize(network: nn.Module) -> None:
    """Glorot-uniform weights with a gain of sqrt(2) in blocks, as in SNGAN's code; biases are 0."""
    initialize_glorot(network)
    for block in network.modules():
        if isinstance(block, UpBlock | DownBlock):
            nn.init.xavier_uniform_(block.conv1.weight, math.sqrt(2))
            nn.init.xavier_uniform_(block.conv2.weight, math.sqrt(2))
