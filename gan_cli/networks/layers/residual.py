"""Residual blocks of WGAN-GP and SNGAN, which differ from He et al. 2016 in where they resize.

Gulrajani et al. 2017 (arXiv:1704.00028) and Miyato et al. 2018 (arXiv:1802.05957), appendices.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.networks.layers.norm import Norm, Normalize


class UpBlock(nn.Module):
    """Norm, ReLU, double, convolve, norm, ReLU, convolve; added to a doubled shortcut."""

    def __init__(self, inputs: int, outputs: int, norm: Norm, classes: int) -> None:
        super().__init__()
        self.norm1 = Normalize(norm, inputs, classes)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = Normalize(norm, outputs, classes)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        h = self.conv1(double(F.relu(self.norm1(x, label))))
        h = self.conv2(F.relu(self.norm2(h, label)))
        # A 1x1 convolution commutes with nearest-neighbour doubling; before it costs a quarter.
        return h + double(self.shortcut(x))  # (N, outputs, 2 H, 2 W)


class DownBlock(nn.Module):
    """ReLU, convolve, ReLU, convolve, halve; added to a halved shortcut.

    A network's first block reads an image: no ReLU and no norm comes before its convolutions.
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
        if self.halves:  # the 1x1 convolution commutes with the mean, too
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return h + self.shortcut(x)  # (N, outputs, H / 2, W / 2) or (N, outputs, H, W)


def double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def initialize(network: nn.Module) -> None:
    """Glorot's uniform weights, biases 0; as in SNGAN's code, sqrt(2) larger inside the blocks."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for block in network.modules():
        if isinstance(block, UpBlock | DownBlock):
            nn.init.xavier_uniform_(block.conv1.weight, math.sqrt(2))
            nn.init.xavier_uniform_(block.conv2.weight, math.sqrt(2))
