"""DCGAN: Radford, Metz & Chintala 2016 (arXiv:1511.06434), for images of k * 2^n pixels.

For 64 x 64 pixels the networks have the layers of the PyTorch example, which has no biases. Without
norm layers there are biases, since nothing else could shift the activations.
"""

import math
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Units
from gan_cli.data.spec import Spec
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
from gan_cli.networks.layers.sizes import pyramid, widths
from gan_cli.networks.network import networks


@networks.register("dcgan_generator")
class DCGANGenerator(nn.Module):
    """Generator of Figure 1: a linear layer, then transposed convolutions that double the size."""

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 100,  # length of the latent vector
        prior: Prior = "normal",  # of the latents: N(0, I), or uniform on [-1, 1]
        width: Units = 64,  # channels at half the image's size; at most 16 times as many below
        norm: Norm = "batch",  # norm layers
        conditioning: GeneratorConditioning = "none",  # how the label enters; none: not at all
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        size, bias = pyramid(spec), norm == "none"
        channels = widths(width, 16 * width, size.levels)[::-1]
        classes = spec.classes if conditioning == "batch_norm" else 0
        self.conditional = conditioning != "none"
        self.latent_dim, self.prior = latent_dim, prior
        self.seed_shape = (channels[0], *size.seed)
        self.condition = LatentLabel(conditioning, latent_dim, spec.classes)
        self.seed = nn.Linear(self.condition.width, math.prod(self.seed_shape), bias=bias)
        self.norms = nn.ModuleList(Normalize(norm, count, classes) for count in channels)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
            for inputs, outputs in pairwise([*channels, spec.shape[0]])
        )
        initialize(self)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to images (N, C, H, W) in [-1, 1]."""
        h = self.seed(self.condition(latent, label)).view(-1, *self.seed_shape)
        for norm, up in zip(self.norms, self.ups, strict=True):
            h = up(F.relu(norm(h, label)))  # (N, width, 2 H, 2 W)
        return torch.tanh(h)


@networks.register("dcgan_discriminator")
class DCGANDiscriminator(Discriminator):
    """Discriminator of strided convolutions with leaky ReLU, and a linear layer."""

    first_blocks: ClassVar = ("downs", "norms")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels at half the image's size; at most 16 times as many below
        norm: Norm = "batch",  # norm layers
        spectral_norm: bool = False,  # spectral normalization of all weights
        minibatch: Minibatch = "none",  # statistics over the batch, beside the features
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        size, bias = pyramid(spec), norm == "none"
        channels = widths(width, 16 * width, size.levels)
        self.auxiliary = conditioning == "auxiliary"
        self.condition = SampleLabel(conditioning, (1, *spec.shape[1:]), spec.classes)
        self.downs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
            for inputs, outputs in pairwise([spec.shape[0] + self.condition.channels, *channels])
        )
        # The first layer, whose input is an image, has no norm (Section 3).
        self.norms = nn.ModuleList(
            Normalize(norm if i else "none", count) for i, count in enumerate(channels)
        )
        count = channels[-1] * math.prod(size.seed)
        self.minibatch, features = minibatch_layer(minibatch, count)
        self.head = Head(conditioning, features, spec.classes, bias)
        initialize(self)
        if spectral_norm:
            apply_spectral_norm(self)

    def features(self, image: Tensor, label: Tensor | None) -> Tensor:
        h = self.condition(image, label)
        for down, norm in zip(self.downs, self.norms, strict=True):
            h = F.leaky_relu(norm(down(h)), 0.2)  # (N, width, H / 2, W / 2)
        return self.minibatch(h.flatten(1))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.head(self.features(image, label), label)


def initialize(network: nn.Module) -> None:
    """Draws weights from N(0, 0.02) (Section 4), batch norm gains from N(1, 0.02); biases are 0.

    The latter two are those of the PyTorch example.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1, 0.02)
