"""SpecGAN: Donahue et al. 2019 (arXiv:1802.04208), Appendix D: images that are spectrograms."""

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
from gan_cli.networks.layers.initialization import initialize_glorot
from gan_cli.networks.layers.latent import Prior
from gan_cli.networks.layers.minibatch import Minibatch, minibatch_layer
from gan_cli.networks.layers.norm import Norm, Normalize, apply_spectral_norm
from gan_cli.networks.layers.sizes import pyramid
from gan_cli.networks.network import networks

KERNEL = 5
CLIP = 3.0  # standard deviations that are mapped to 1
LEAST_STD = 0.01  # of a bin that hardly varies


@networks.register("specgan_generator")
class SpecGANGenerator(nn.Module):
    """A linear layer, then transposed convolutions of 5 x 5 that double the size.

    It keeps the mean and deviation of each frequency of the data, by which log amplitudes become
    images in [-1, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 100,  # length of the latent vector
        prior: Prior = "uniform",  # of the latents: N(0, I), or uniform on [-1, 1]
        width: Units = 64,  # channels at half the size; each layer below has twice as many
        norm: Norm = "none",  # norm layers
        conditioning: GeneratorConditioning = "none",  # how the label enters; none: not at all
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        size = pyramid(spec)
        channels = [width << level for level in range(size.levels)][::-1]
        classes = spec.classes if conditioning == "batch_norm" else 0
        self.conditional = conditioning != "none"
        self.latent_dim, self.prior = latent_dim, prior
        self.seed_shape = (channels[0], *size.seed)
        self.condition = LatentLabel(conditioning, latent_dim, spec.classes)
        self.seed = nn.Linear(self.condition.width, math.prod(self.seed_shape))
        self.norms = nn.ModuleList(Normalize(norm, count, classes) for count in channels)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(*pair, KERNEL, 2, KERNEL // 2, 1)
            for pair in pairwise([*channels, spec.shape[0]])
        )
        initialize_glorot(self)
        self.register_buffer("mean", torch.zeros(spec.shape[1], 1))  # of log amplitudes
        self.register_buffer("std", torch.ones(spec.shape[1], 1))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to images (N, C, frequencies, times) in [-1, 1]."""
        h = self.seed(self.condition(latent, label)).view(-1, *self.seed_shape)
        for norm, up in zip(self.norms, self.ups, strict=True):
            h = up(F.relu(norm(h, label)))  # (N, width, 2 H, 2 W)
        return torch.tanh(h)

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Takes the mean and standard deviation (frequencies,) of the log amplitudes of data."""
        self.mean.copy_(mean[:, None])
        self.std.copy_(std[:, None].clamp(min=LEAST_STD))

    def to_image(self, level: Tensor) -> Tensor:
        """Log amplitudes (N, C, frequencies, times) as images; CLIP deviations become 1."""
        return ((level - self.mean) / (CLIP * self.std)).clamp(-1, 1)

    def to_level(self, image: Tensor) -> Tensor:
        """Inverse of `to_image`."""
        return image.float() * CLIP * self.std + self.mean


@networks.register("specgan_discriminator")
class SpecGANDiscriminator(Discriminator):
    """Strided convolutions of 5 x 5 with leaky ReLU, and a linear layer."""

    first_blocks: ClassVar = ("downs", "norms")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels of the first layer; each layer after it has twice as many
        norm: Norm = "none",  # norm layers
        spectral_norm: bool = False,  # spectral normalization of all weights
        minibatch: Minibatch = "none",  # statistics over the batch, beside the features
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        size = pyramid(spec)
        channels = [width << level for level in range(size.levels)]
        self.auxiliary = conditioning == "auxiliary"
        self.condition = SampleLabel(conditioning, (1, *spec.shape[1:]), spec.classes)
        self.downs = nn.ModuleList(
            nn.Conv2d(*pair, KERNEL, 2, KERNEL // 2)
            for pair in pairwise([spec.shape[0] + self.condition.channels, *channels])
        )
        self.norms = nn.ModuleList(
            Normalize(norm if i else "none", count) for i, count in enumerate(channels)
        )
        count = channels[-1] * math.prod(size.seed)
        self.minibatch, features = minibatch_layer(minibatch, count)
        self.head = Head(conditioning, features, spec.classes)
        initialize_glorot(self)
        if spectral_norm:
            apply_spectral_norm(self)

    def features(self, image: Tensor, label: Tensor | None) -> Tensor:
        h = self.condition(image, label)
        for down, norm in zip(self.downs, self.norms, strict=True):
            h = F.leaky_relu(norm(down(h)), 0.2)  # (N, width, H / 2, W / 2)
        return self.minibatch(h.flatten(1))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, C, frequencies, times) to logits (N,)."""
        return self.head(self.features(image, label), label)
