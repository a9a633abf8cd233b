"""RRDBNet of ESRGAN: Wang et al. 2018 (arXiv:1809.00219), Section 3.1."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Positive, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.enlarge import factor_of, scale_weights, source_of, stages
from gan_cli.networks.network import networks

LAYERS = 5  # convolutions of a dense block
SLOPE = 0.2


@networks.register("rrdb")
class RRDBNet(nn.Module):
    """Residual-in-residual dense blocks at the size of the source, then nearest enlargement.

    There is no norm layer. Images of any size are enlarged; the output is linear.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels between blocks
        blocks: Depth = 23,  # of three dense blocks each
        growth: Units = 32,  # channels that each layer of a dense block adds
        residual: Positive = 0.2,  # weight of what a block adds to its input
    ) -> None:
        super().__init__()
        self.factors = stages(factor_of(spec))
        self.first = nn.Conv2d(source_of(spec).shape[0], width, 3, padding=1)
        self.blocks = nn.Sequential(*(RRDB(width, growth, residual) for _ in range(blocks)))
        self.last_of_blocks = nn.Conv2d(width, width, 3, padding=1)
        self.ups = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in self.factors)
        self.refine = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, spec.shape[0], 3, padding=1)
        scale_weights(self.blocks, 0.1)

    def forward(self, source: Tensor) -> Tensor:
        """Maps images (N, C, H, W) in [-1, 1] to enlarged ones."""
        h = self.first(source)  # (N, width, H, W)
        h = h + self.last_of_blocks(self.blocks(h))
        for factor, up in zip(self.factors, self.ups, strict=True):
            h = F.leaky_relu(up(F.interpolate(h, scale_factor=factor, mode="nearest")), SLOPE)
        return self.last(F.leaky_relu(self.refine(h), SLOPE))


class RRDB(nn.Module):
    """Three dense blocks and a connection around them."""

    def __init__(self, width: int, growth: int, residual: float) -> None:
        super().__init__()
        self.residual = residual
        self.dense = nn.Sequential(*(DenseBlock(width, growth, residual) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual * self.dense(x)


class DenseBlock(nn.Module):
    """Convolutions that each see the outputs of all before them."""

    def __init__(self, width: int, growth: int, residual: float) -> None:
        super().__init__()
        self.residual = residual
        self.convs = nn.ModuleList(
            nn.Conv2d(width + i * growth, width if i == LAYERS - 1 else growth, 3, padding=1)
            for i in range(LAYERS)
        )

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for conv in self.convs[:-1]:
            features = torch.cat([features, F.leaky_relu(conv(features), SLOPE)], 1)
        return x + self.residual * self.convs[-1](features)
