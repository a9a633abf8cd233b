"""Networks from samples to features, without a head, for encoders and joint discriminators.

The layers are those of the discriminator of the same family.
"""

import math
from itertools import pairwise
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.data.spec import Spec
from gan_cli.networks.layers.norm import Norm, Normalize
from gan_cli.networks.layers.residual import DownBlock
from gan_cli.networks.layers.sizes import pyramid, widths


class DenseTrunk(nn.Module):
    """`depth` layers of `width` leaky ReLU units: Goodfellow et al. 2014 (arXiv:1406.2661).

    The input has `extra` features besides the sample.
    """

    first_blocks: ClassVar = ("hidden", "norms")

    def __init__(self, spec: Spec, width: int, depth: int, norm: Norm, extra: int = 0) -> None:
        super().__init__()
        self.features = width
        sizes = pairwise([math.prod(spec.shape) + extra, *[width] * depth])
        self.hidden = nn.ModuleList(nn.Linear(i, o, bias=norm == "none") for i, o in sizes)
        self.norms = nn.ModuleList(Normalize(norm, width, maps=False) for _ in self.hidden)

    def forward(self, sample: Tensor) -> Tensor:
        h = sample.flatten(1)
        for linear, norm in zip(self.hidden, self.norms, strict=True):
            h = F.leaky_relu(norm(linear(h)), 0.2)  # (N, width)
        return h


class StridedTrunk(nn.Module):
    """Strided convolutions that halve the image: DCGAN, Radford et al. 2016 (arXiv:1511.06434)."""

    first_blocks: ClassVar = ("downs", "norms")

    def __init__(self, spec: Spec, width: int, norm: Norm) -> None:
        super().__init__()
        size = pyramid(spec)
        channels = widths(width, 16 * width, size.levels)
        self.features = channels[-1] * math.prod(size.seed)
        self.downs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=norm == "none")
            for inputs, outputs in pairwise([spec.shape[0], *channels])
        )
        # The first layer, whose input is an image, has no norm (Section 3).
        self.norms = nn.ModuleList(
            Normalize(norm if i else "none", count) for i, count in enumerate(channels)
        )

    def forward(self, image: Tensor) -> Tensor:
        h = image
        for down, norm in zip(self.downs, self.norms, strict=True):
            h = F.leaky_relu(norm(down(h)), 0.2)  # (N, width, H / 2, W / 2)
        return h.flatten(1)


class ResidualTrunk(nn.Module):
    """Residual blocks, of which all but the last halve the image, then the mean over positions.

    WGAN-GP: Gulrajani et al. 2017 (arXiv:1704.00028).
    """

    first_blocks: ClassVar = ("blocks",)

    def __init__(self, spec: Spec, width: int, norm: Norm) -> None:
        super().__init__()
        self.features = width
        levels = pyramid(spec).levels
        channels = pairwise([spec.shape[0], *[width] * (levels + 1)])
        self.blocks = nn.ModuleList(
            DownBlock(inputs, outputs, norm, halves=i < levels, first=i == 0)
            for i, (inputs, outputs) in enumerate(channels)
        )

    def forward(self, image: Tensor) -> Tensor:
        h = image
        for block in self.blocks:
            h = block(h)
        return F.relu(h).mean((2, 3))  # (N, width)
