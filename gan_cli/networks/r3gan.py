"""R3GAN: Huang et al. 2024 (arXiv:2501.05441), Section 4, Config E, for images of k * 2^n pixels.

A generator and a discriminator that mirror each other: stages of residual blocks without norm
layers, one stage for each size.
"""

import math
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.bottleneck import Bottleneck, scaled_normal
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.conditioning import (
    Discriminator,
    DiscriminatorConditioning,
    Head,
    SampleLabel,
)
from gan_cli.networks.layers.latent import Prior
from gan_cli.networks.layers.minibatch import Minibatch, minibatch_layer
from gan_cli.networks.layers.norm import apply_spectral_norm
from gan_cli.networks.layers.resample import Downsample, Upsample
from gan_cli.networks.layers.sizes import block_widths, pyramid
from gan_cli.networks.network import networks


@networks.register("r3gan_generator")
class R3GANGenerator(nn.Module):
    """Generator: a learned basis of the smallest map, then stages that double the size."""

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 64,  # length of the latent vector
        prior: Prior = "normal",  # of the latents: N(0, I), or uniform on [-1, 1]
        width: Units = 768,  # channels at the image's full size
        max_width: Units | None = None,  # doubled at every halving up to this; None: never
        blocks: Units = 2,  # residual blocks of a stage, i.e. of a size
        expansion: Units = 2,  # channels inside of a block, as a multiple of those around it
        group_width: Units = 16,  # channels of a group of the 3x3 convolutions
        conditioning: Literal["none", "concat"] = "none",  # how the label enters; none: not at all
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, "none")
        size = pyramid(spec)
        channels = block_widths(width, max_width, size.levels + 1)[::-1]
        self.conditional = conditioning != "none"
        self.latent_dim, self.prior = latent_dim, prior
        self.embedding = nn.Embedding(spec.classes, latent_dim) if self.conditional else None
        inputs = latent_dim * (2 if self.conditional else 1)
        self.basis = Basis(inputs, channels[0], size.seed)
        shape = (blocks, expansion, group_width, blocks * len(channels))
        self.stages = nn.ModuleList([residual_stage(channels[0], *shape)])
        self.stages.extend(
            nn.Sequential(*project(before, after), Upsample(after), residual_stage(after, *shape))
            for before, after in pairwise(channels)
        )
        self.output = nn.Conv2d(channels[-1], spec.shape[0], 1, bias=False)
        scaled_normal(self.output)
        if self.embedding is not None:  # that of a linear layer whose input is the one-hot code
            nn.init.normal_(self.embedding.weight, 0, 1 / math.sqrt(spec.classes))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to images (N, C, H, W), which are not bounded."""
        if self.embedding is not None:
            assert label is not None, "a conditional network was called without labels"
            latent = torch.cat((latent, self.embedding(label)), 1)
        h = self.basis(latent)
        for stage in self.stages:
            h = stage(h)
        return self.output(h)


@networks.register("r3gan_discriminator")
class R3GANDiscriminator(Discriminator):
    """Discriminator: stages that halve the size, then a weighted sum over the smallest map."""

    first_blocks: ClassVar = ("input", "stages")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 768,  # channels at the image's full size
        max_width: Units | None = None,  # doubled at every halving up to this; None: never
        blocks: Units = 2,  # residual blocks of a stage, i.e. of a size
        expansion: Units = 2,  # channels inside of a block, as a multiple of those around it
        group_width: Units = 16,  # channels of a group of the 3x3 convolutions
        spectral_norm: bool = False,  # spectral normalization of all weights
        minibatch: Minibatch = "none",  # statistics over the batch, beside the features
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, "none")
        size = pyramid(spec)
        channels = block_widths(width, max_width, size.levels + 1)
        self.auxiliary = conditioning == "auxiliary"
        self.condition = SampleLabel(conditioning, (1, *spec.shape[1:]), spec.classes)
        inputs = spec.shape[0] + self.condition.channels
        self.input = nn.Conv2d(inputs, channels[0], 1, bias=False)
        shape = (blocks, expansion, group_width, blocks * len(channels))
        self.stages = nn.ModuleList(
            nn.Sequential(
                residual_stage(before, *shape), Downsample(before), *project(before, after)
            )
            for before, after in pairwise(channels)
        )
        self.stages.append(residual_stage(channels[-1], *shape))
        self.pool = WeightedSum(channels[-1], size.seed)
        self.minibatch, features = minibatch_layer(minibatch, channels[-1])
        self.head = head(conditioning, features, channels[-1], spec.classes)
        scaled_normal(self.input)
        scaled_normal(self.pool)
        if spectral_norm:
            for block in self.modules():
                if isinstance(block, Bottleneck):  # zeros have no norm to divide by
                    scaled_normal(block.compress)
            apply_spectral_norm(self)

    def features(self, image: Tensor, label: Tensor | None) -> Tensor:
        h = self.input(self.condition(image, label))
        for stage in self.stages:
            h = stage(h)
        return self.minibatch(self.pool(h))  # (N, max_width)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.head(self.features(image, label), label)


class Basis(nn.Module):
    """Feature maps sum_c (W z)_c B_c: each channel scales a map of its own, which is learned."""

    def __init__(self, inputs: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.weights = nn.Linear(inputs, channels, bias=False)
        self.maps = nn.Parameter(torch.randn(channels, *size))
        scaled_normal(self.weights)

    def forward(self, z: Tensor) -> Tensor:
        """(N, inputs) to (N, channels, H, W)."""
        return self.weights(z)[:, :, None, None] * self.maps


class WeightedSum(nn.Conv2d):
    """Sums over the positions of each channel, with weights that are learned.

    It is a depthwise convolution whose only output is computed without one. Its derivatives are
    products; those of a convolution, see `layers.conv`, would not be.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__(channels, channels, size, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, channels)."""
        return (x * self.weight[:, 0]).sum((2, 3))


class ProjectionHead(nn.Module):
    """Logits V[label] . W h: only the projection of Miyato & Koyama 2018, of a linear layer."""

    def __init__(self, features: int, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width, bias=False)
        # A linear layer, so that it is spectrally normalized like the others.
        self.projection = nn.Linear(width, classes, bias=False)
        scaled_normal(self.linear)
        # As if it were applied to the one-hot code, and scaled to sum over `width` products.
        nn.init.normal_(self.projection.weight, 0, 1 / math.sqrt(width * classes))

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        assert label is not None, "a conditional network was called without labels"
        return self.projection(self.linear(features)).gather(1, label[:, None]).squeeze(1)


def project(before: int, after: int) -> list[nn.Module]:
    """A 1x1 convolution where the number of channels changes, or nothing."""
    if before == after:
        return []
    layer = nn.Conv2d(before, after, 1, bias=False)
    scaled_normal(layer)
    return [layer]


def residual_stage(
    width: int, blocks: int, expansion: int, group_width: int, depth: int
) -> nn.Sequential:
    """The residual blocks of one size; `depth` is the number of all blocks of the network."""
    return nn.Sequential(*(Bottleneck(width, expansion, group_width, depth) for _ in range(blocks)))


def head(
    conditioning: DiscriminatorConditioning, features: int, width: int, classes: int
) -> "ProjectionHead | Head":
    """The last layer. With projection there is no logit besides, unlike in other discriminators."""
    if conditioning == "projection":
        return ProjectionHead(features, width, classes)
    layer = Head(conditioning, features, classes, bias=False)
    scaled_normal(layer.logit)
    return layer
