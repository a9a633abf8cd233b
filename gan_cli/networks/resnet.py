"""Residual networks of WGAN-GP (Gulrajani et al. 2017, arXiv:1704.00028) and of SNGAN.

SNGAN (Miyato et al. 2018, arXiv:1802.05957) has other widths, a sum instead of a mean over
positions, and a last layer without bias; these are options.
"""

import math
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.attention import attentions
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.conditioning import (
    Discriminator,
    DiscriminatorConditioning,
    GeneratorConditioning,
    Head,
    LatentLabel,
    SampleLabel,
)
from gan_cli.networks.layers.latent import Prior
from gan_cli.networks.layers.minibatch import Minibatch, minibatch_layer
from gan_cli.networks.layers.norm import Norm, Normalize, apply_spectral_norm
from gan_cli.networks.layers.residual import DownBlock, UpBlock, initialize
from gan_cli.networks.layers.sizes import block_widths, pyramid
from gan_cli.networks.network import networks


@networks.register("resnet_generator")
class ResNetGenerator(nn.Module):
    """Generator: a linear layer, then residual blocks that double the size."""

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 128,  # length of the latent vector
        prior: Prior = "normal",  # of the latents: N(0, I), or uniform on [-1, 1]
        width: Units = 128,  # channels at the image's full size
        max_width: Units | None = None,  # doubled at every halving up to this; None: never
        norm: Norm = "batch",  # norm layers
        attention: Units | None = None,  # side of the maps with self-attention; None: without
        conditioning: GeneratorConditioning = "none",  # how the label enters; none: not at all
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        size = pyramid(spec)
        channels = block_widths(width, max_width, size.levels + 1)[::-1]
        classes = spec.classes if conditioning == "batch_norm" else 0
        self.conditional = conditioning != "none"
        self.latent_dim, self.prior = latent_dim, prior
        self.seed_shape = (channels[0], *size.seed)
        self.condition = LatentLabel(conditioning, latent_dim, spec.classes)
        self.seed = nn.Linear(self.condition.width, math.prod(self.seed_shape))
        self.blocks = nn.ModuleList(
            UpBlock(i, o, lambda c: Normalize(norm, c, classes)) for i, o in pairwise(channels)
        )
        sizes = [(size.seed[0] << i, size.seed[1] << i) for i in range(1, len(channels))]
        self.attentions = attentions(attention, sizes, channels[1:])
        self.norm = Normalize(norm, channels[-1])
        self.output = nn.Conv2d(channels[-1], spec.shape[0], 3, padding=1)
        initialize(self)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        h = self.seed(self.condition(latent, label)).view(-1, *self.seed_shape)
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            h = attention(block(h, label))
        return torch.tanh(self.output(F.relu(self.norm(h))))


@networks.register("resnet_discriminator")
class ResNetDiscriminator(Discriminator):
    """Discriminator: residual blocks, then pooling over positions and a linear layer.

    All blocks but the last `flat_blocks` halve the size.
    """

    first_blocks: ClassVar = ("blocks", "attentions")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 128,  # channels of the first block
        max_width: Units | None = None,  # doubled from block to block up to this; None: never
        flat_blocks: Literal[1, 2] = 2,  # 2 in the papers at 32 x 32, 1 at 128 x 128
        pooling: Literal["mean", "sum"] = "mean",  # over the positions of the last map
        head_bias: bool = True,  # bias of the last linear layer
        norm: Norm = "none",  # norm layers
        attention: Units | None = None,  # side of the maps with self-attention; None: without
        spectral_norm: bool = False,  # spectral normalization of all weights
        minibatch: Minibatch = "none",  # statistics over the batch, beside the features
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        size = pyramid(spec)
        channels = block_widths(width, max_width, size.levels + 1)
        halvings = max(1, len(channels) - flat_blocks)
        self.auxiliary, self.pooling = conditioning == "auxiliary", pooling
        self.condition = SampleLabel(conditioning, (1, *spec.shape[1:]), spec.classes)
        self.blocks = nn.ModuleList(
            DownBlock(inputs, outputs, norm, halves=i < halvings, first=i == 0)
            for i, (inputs, outputs) in enumerate(
                pairwise([spec.shape[0] + self.condition.channels, *channels])
            )
        )
        shifts = [min(i, halvings) for i in range(1, len(channels) + 1)]
        sizes = [(spec.shape[1] >> shift, spec.shape[2] >> shift) for shift in shifts]
        self.attentions = attentions(attention, sizes, channels)
        self.minibatch, features = minibatch_layer(minibatch, channels[-1])
        self.head = Head(conditioning, features, spec.classes, head_bias)
        initialize(self)
        if spectral_norm:
            apply_spectral_norm(self)

    def features(self, image: Tensor, label: Tensor | None) -> Tensor:
        h = self.condition(image, label)
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            h = attention(block(h))
        h = F.relu(h)  # (N, width, H, W)
        return self.minibatch(h.sum((2, 3)) if self.pooling == "sum" else h.mean((2, 3)))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.head(self.features(image, label), label)
