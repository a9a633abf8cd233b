"""SRResNet: Ledig et al. 2017 (arXiv:1609.04802), and its variant without batch norm."""

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.enlarge import SubPixel, factor_of, scale_weights, source_of, stages
from gan_cli.networks.layers.norm import Norm, Normalize
from gan_cli.networks.network import networks


@networks.register("srresnet")
class SRResNet(nn.Module):
    """Residual blocks at the size of the source, then sub-pixel convolutions (Figure 4).

    Images of any size are enlarged, those of the data set or others. The output is linear.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels of all layers
        blocks: Depth = 16,  # residual blocks
        norm: Norm = "batch",  # norm layers of the residual blocks
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(source_of(spec).shape[0], width, 9, padding=4)
        self.activation = nn.PReLU()
        self.blocks = nn.Sequential(*(ResidualBlock(width, norm) for _ in range(blocks)))
        self.last_of_blocks = nn.Conv2d(width, width, 3, padding=1)
        self.norm = Normalize(norm, width)
        ups = ((SubPixel(width, factor), nn.PReLU()) for factor in stages(factor_of(spec)))
        self.ups = nn.Sequential(*(layer for up in ups for layer in up))
        self.last = nn.Conv2d(width, spec.shape[0], 9, padding=4)

    def forward(self, source: Tensor) -> Tensor:
        """Maps images (N, C, H, W) in [-1, 1] to enlarged ones."""
        h = self.activation(self.first(source))  # (N, width, H, W)
        h = h + self.norm(self.last_of_blocks(self.blocks(h)))
        return self.last(self.ups(h))


class ResidualBlock(nn.Module):
    """Gross and Wilber 2016: no activation after the sum."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(Normalize(norm, width) for _ in range(2))
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.norms[0](self.convs[0](x)))
        return x + self.norms[1](self.convs[1](h))


@networks.register("msrresnet")
class MSRResNet(nn.Module):
    """SRResNet without batch norm, added to the source in bilinear enlargement.

    Wang et al. 2018 (arXiv:1809.00219) compare ESRGAN with it: batch norm causes artefacts where
    the statistics of an image differ from those of the training.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels of all layers
        blocks: Depth = 16,  # residual blocks
    ) -> None:
        super().__init__()
        self.factor, self.channels = factor_of(spec), spec.shape[0]
        self.first = nn.Conv2d(source_of(spec).shape[0], width, 3, padding=1)
        self.blocks = nn.Sequential(*(PlainBlock(width) for _ in range(blocks)))
        self.ups = nn.ModuleList(SubPixel(width, factor) for factor in stages(self.factor))
        self.refine = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, spec.shape[0], 3, padding=1)
        scale_weights(self, 0.1)

    def forward(self, source: Tensor) -> Tensor:
        """Maps images (N, C, H, W) in [-1, 1] to enlarged ones."""
        h = self.blocks(F.leaky_relu(self.first(source), 0.1))  # (N, width, H, W)
        for up in self.ups:
            h = F.leaky_relu(up(h), 0.1)
        return self.last(F.leaky_relu(self.refine(h), 0.1)) + self.enlarged(source)

    def enlarged(self, source: Tensor) -> Tensor:
        """Returns the source, bilinear, with as many channels as the output."""
        large = F.interpolate(source, scale_factor=self.factor, mode="bilinear")
        if source.shape[1] == self.channels:
            return large
        return large.mean(1, keepdim=True).expand(-1, self.channels, -1, -1)


class PlainBlock(nn.Module):
    """A residual block of two convolutions, as in EDSR (arXiv:1707.02921)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convs[1](F.relu(self.convs[0](x)))
