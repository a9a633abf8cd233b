"""BigGAN: Brock et al. 2019 (arXiv:1809.11096), Appendix B, for images of k * 2^n pixels.

SAGAN (Zhang et al. 2019, arXiv:1805.08318) widened, with latents that enter every block.
"""

import math
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.attention import attentions
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.conditional_norm import Condition, ConditionalNorm
from gan_cli.networks.layers.conditioning import (
    Discriminator,
    DiscriminatorConditioning,
    Head,
    SampleLabel,
)
from gan_cli.networks.layers.initialization import Initialization, initialize_weights
from gan_cli.networks.layers.latent import Prior
from gan_cli.networks.layers.minibatch import Minibatch, minibatch_layer
from gan_cli.networks.layers.norm import Norm, Normalize, apply_spectral_norm
from gan_cli.networks.layers.residual import DownBlock, UpBlock
from gan_cli.networks.layers.sizes import pyramid
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError

# Channels of the generator as multiples of `width`, from the smallest map up, by the number of
# halvings: those of 32 x 32 pixels (3) to 512 x 512 (7) are published.
MULTIPLES = {
    3: (4, 4, 4, 4),
    4: (16, 16, 8, 4, 2),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
    7: (16, 16, 8, 8, 4, 2, 1, 1),
}


@networks.register("biggan_generator")
class BigGANGenerator(nn.Module):
    """Generator: a linear layer, then residual blocks that double the size.

    With `hierarchical`, the latent is split into one part for the first layer and one for each
    block, whose norm layers it sets, together with the embedding of the label.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 128,  # length of the latent vector, all parts together
        prior: Prior = "normal",  # of the latents: N(0, I), or uniform on [-1, 1]
        width: Units = 64,  # unit of the channels: 4 times of it at 32 x 32, once at 128 x 128
        hierarchical: bool = True,  # a part of the latent for each block
        shared_dim: Units | None = 128,  # embedding that norm layers share; None: each has its own
        attention: Units | None = None,  # side of the maps with self-attention; None: without
        norm: Norm = "batch",  # norm layers
        spectral_norm: bool = True,  # spectral normalization of all weights
        initialization: Initialization = "orthogonal",  # of the weights
        conditioning: Literal["none", "batch_norm"] = "none",  # how the label enters
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        size = pyramid(spec)
        channels = [width * m for m in multiples(size.levels)]
        self.latent_dim, self.prior = latent_dim, prior
        self.conditional = conditioning != "none"
        self.parts = parts(latent_dim, size.levels + 1) if hierarchical else [latent_dim]
        classes = spec.classes if self.conditional else 0
        self.embedding = nn.Embedding(classes, shared_dim) if classes and shared_dim else None
        embedded = shared_dim if self.embedding is not None and shared_dim else 0
        tables = 0 if embedded else classes
        self.seed_shape = (channels[0], *size.seed)
        self.seed = nn.Linear(self.parts[0], math.prod(self.seed_shape))
        of_blocks = self.parts[1:] or [0] * size.levels
        self.blocks = nn.ModuleList(
            UpBlock(i, o, partial(ConditionalNorm, norm, part + embedded, tables))
            for (i, o), part in zip(pairwise(channels), of_blocks, strict=True)
        )
        sizes = [(size.seed[0] << i, size.seed[1] << i) for i in range(1, len(channels))]
        self.attentions = attentions(attention, sizes, channels[1:])
        self.norm = Normalize(norm, channels[-1])
        self.output = nn.Conv2d(channels[-1], spec.shape[0], 3, padding=1)
        initialize_weights(self, initialization)
        if spectral_norm:
            apply_spectral_norm(self)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        first, *others = latent.split(self.parts, 1)
        h = self.seed(first).view(-1, *self.seed_shape)
        conditions = self.conditions(others, label)
        for block, attention, condition in zip(
            self.blocks, self.attentions, conditions, strict=True
        ):
            h = attention(block(h, condition))
        return torch.tanh(self.output(F.relu(self.norm(h))))

    def conditions(self, latents: list[Tensor], label: Tensor | None) -> Iterator[Condition]:
        """Yields what the norm layers of each block see."""
        shared: list[Tensor] = []
        if self.embedding is not None:
            assert label is not None, "a conditional network was called without labels"
            shared.append(self.embedding(label))  # (N, shared_dim)
        for i in range(len(self.blocks)):
            vectors = latents[i : i + 1] + shared
            yield Condition(torch.cat(vectors, 1) if vectors else None, label)


@networks.register("biggan_discriminator")
class BigGANDiscriminator(Discriminator):
    """Discriminator: residual blocks, then the sum over positions and a linear layer."""

    first_blocks: ClassVar = ("blocks", "attentions")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # unit of the channels: 4 times of it at 32 x 32, once at 128 x 128
        attention: Units | None = None,  # side of the maps with self-attention; None: without
        norm: Norm = "none",  # norm layers
        spectral_norm: bool = True,  # spectral normalization of all weights
        initialization: Initialization = "orthogonal",  # of the weights
        minibatch: Minibatch = "none",  # statistics over the batch, beside the features
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        levels = pyramid(spec).levels
        halvings = levels if levels > 3 else max(1, levels - 1)  # 2 of 3 at 32 x 32
        channels = [width * m for m in multiples(levels)[::-1]]
        if levels == 4:  # published: one more doubling, from half the width of the generator
            channels = [width << i for i in range(5)]
        self.auxiliary = conditioning == "auxiliary"
        self.condition = SampleLabel(conditioning, (1, *spec.shape[1:]), spec.classes)
        inputs = spec.shape[0] + self.condition.channels
        self.blocks = nn.ModuleList(
            DownBlock(before, after, norm, halves=i < halvings, first=i == 0)
            for i, (before, after) in enumerate(pairwise([inputs, *channels]))
        )
        shifts = [min(i, halvings) for i in range(1, len(channels) + 1)]
        sizes = [(spec.shape[1] >> shift, spec.shape[2] >> shift) for shift in shifts]
        self.attentions = attentions(attention, sizes, channels)
        self.minibatch, features = minibatch_layer(minibatch, channels[-1])
        self.head = Head(conditioning, features, spec.classes)
        initialize_weights(self, initialization)
        if spectral_norm:
            apply_spectral_norm(self)

    def features(self, image: Tensor, label: Tensor | None) -> Tensor:
        h = self.condition(image, label)
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            h = attention(block(h))
        return self.minibatch(F.relu(h).sum((2, 3)))  # (N, F)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.head(self.features(image, label), label)


def multiples(levels: int) -> tuple[int, ...]:
    """Multiples of the width for `levels` halvings; beyond the table its ends are repeated."""
    if levels < 3:
        return (4,) * (levels + 1)
    largest = max(MULTIPLES)
    return MULTIPLES[min(levels, largest)] + (1,) * (levels - largest)


def parts(length: int, count: int) -> list[int]:
    """Splits a latent into `count` parts that differ by one at most, the longer ones first."""
    if length < count:
        raise ConfigError(
            f"latent_dim: {length} cannot be split into {count} parts, one for each block; "
            f"set latent_dim={count} or more, or hierarchical=false"
        )
    return [length // count + (i < length % count) for i in range(count)]
