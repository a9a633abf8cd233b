"""WaveGAN: Donahue, McAuley & Puckette 2019 (arXiv:1802.04208), for sounds of k * 2^n samples."""

import math
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Natural, Range, Units
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
from gan_cli.networks.layers.phase_shuffle import PhaseShuffle
from gan_cli.networks.layers.sound_sizes import strides_of
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError

Kernel = Annotated[int, Range(least=5, most=1023)]
Taps = Annotated[int, Range(least=0, most=65_536)]


@networks.register("wavegan_generator")
class WaveGANGenerator(nn.Module):
    """Generator of Table 3: a linear layer, then transposed convolutions, most of stride 4."""

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 100,  # length of the latent vector
        prior: Prior = "uniform",  # of the latents: N(0, I), or uniform on [-1, 1]
        width: Units = 64,  # channels before the last layer; each layer below has twice as many
        kernel: Kernel = 25,  # length of the filters, odd
        upsampling: Literal["zeros", "nearest"] = "zeros",  # nearest: repeated, less shrill, slower
        post_filter: Taps = 0,  # length of a filter that is learned after the last layer, as 512
        norm: Norm = "none",  # norm layers
        conditioning: GeneratorConditioning = "none",  # how the label enters; none: not at all
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        check_kernel(kernel)
        shape = strides_of(spec)
        channels = [width << level for level in range(len(shape.strides))][::-1]
        classes = spec.classes if conditioning == "batch_norm" else 0
        self.conditional = conditioning != "none"
        self.latent_dim, self.prior = latent_dim, prior
        self.seed_shape = (channels[0], shape.seed)
        self.condition = LatentLabel(conditioning, latent_dim, spec.classes)
        self.seed = nn.Linear(self.condition.width, math.prod(self.seed_shape))
        self.norms = nn.ModuleList(Normalize(norm, n, classes, sound=True) for n in channels)
        self.ups = nn.ModuleList(
            upsampler(*ends, kernel, stride, upsampling)
            for ends, stride in zip(
                pairwise([*channels, spec.shape[0]]), shape.strides, strict=True
            )
        )
        initialize_glorot(self)
        self.filter = PostFilter(spec.shape[0], post_filter) if post_filter else nn.Identity()

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to sounds (N, C, T) in [-1, 1], but for the post filter."""
        h = self.seed(self.condition(latent, label)).view(-1, *self.seed_shape)
        for norm, up in zip(self.norms, self.ups, strict=True):
            h = up(F.relu(norm(h, label)))  # (N, width, 4 T)
        return self.filter(torch.tanh(h))


@networks.register("wavegan_discriminator")
class WaveGANDiscriminator(Discriminator):
    """Discriminator of Table 4: strided convolutions with leaky ReLU and phase shuffle."""

    first_blocks: ClassVar = ("downs", "norms")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels of the first layer; each layer after it has twice as many
        kernel: Kernel = 25,  # length of the filters, odd
        phase_shuffle: Natural = 2,  # maps are moved by up to so many steps; 0: they are not
        norm: Norm = "none",  # norm layers
        spectral_norm: bool = False,  # spectral normalization of all weights
        minibatch: Minibatch = "none",  # statistics over the batch, beside the features
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        check_kernel(kernel)
        shape = strides_of(spec)
        check_shuffle(phase_shuffle, shape.seed)
        channels = [width << level for level in range(len(shape.strides))]
        self.auxiliary = conditioning == "auxiliary"
        self.condition = SampleLabel(conditioning, (1, spec.shape[1]), spec.classes)
        ends = pairwise([spec.shape[0] + self.condition.channels, *channels])
        self.downs = nn.ModuleList(
            nn.Conv1d(*pair, kernel, stride, padding=(kernel - stride + 1) // 2)
            for pair, stride in zip(ends, shape.strides, strict=True)
        )
        self.norms = nn.ModuleList(
            Normalize(norm if i else "none", n, sound=True) for i, n in enumerate(channels)
        )
        self.shuffle = PhaseShuffle(phase_shuffle)
        count = channels[-1] * shape.seed
        self.minibatch, features = minibatch_layer(minibatch, count)
        self.head = Head(conditioning, features, spec.classes)
        initialize_glorot(self)
        if spectral_norm:
            apply_spectral_norm(self)

    def features(self, sound: Tensor, label: Tensor | None) -> Tensor:
        h = self.condition(sound, label)
        last = len(self.downs) - 1
        for i, (down, norm) in enumerate(zip(self.downs, self.norms, strict=True)):
            h = F.leaky_relu(norm(down(h)), 0.2)  # (N, width, T / 4)
            h = self.shuffle(h) if i < last else h
        return self.minibatch(h.flatten(1))

    def forward(self, sound: Tensor, label: Tensor | None = None) -> Tensor:
        """Sounds (N, C, T) to logits (N,)."""
        return self.head(self.features(sound, label), label)


class PostFilter(nn.Conv1d):
    """A filter over each end of a sound: Section 3.4; it starts as one that changes nothing.

    It can learn to remove the noise of artefacts at fixed frequencies. (N, C, T) to the same.
    """

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__(channels, channels, taps, bias=False)
        self.before = (taps - 1) // 2
        nn.init.zeros_(self.weight)
        with torch.no_grad():
            self.weight[range(channels), range(channels), self.before] = 1

    def forward(self, x: Tensor) -> Tensor:
        after = self.kernel_size[0] - 1 - self.before
        return super().forward(F.pad(x, (self.before, after)))


def upsampler(inputs: int, outputs: int, kernel: int, stride: int, kind: str) -> nn.Module:
    """A layer that makes sounds (N, C, T) `stride` times as long."""
    if kind == "nearest":
        repeat = nn.Upsample(scale_factor=stride, mode="nearest")
        return nn.Sequential(repeat, nn.Conv1d(inputs, outputs, kernel, padding="same"))
    padding = (kernel - stride + 1) // 2
    extra = stride + 2 * padding - kernel
    return nn.ConvTranspose1d(inputs, outputs, kernel, stride, padding, extra)


def check_kernel(kernel: int) -> None:
    if kernel % 2 == 0:
        raise ConfigError(f"kernel: filters have an odd length, got {kernel}; set {kernel + 1}")


def check_shuffle(shuffle: int, seed: int) -> None:
    if shuffle >= seed:
        raise ConfigError(
            f"phase_shuffle: moves by {shuffle} steps a map of {seed}; set 2, as published, or at "
            f"most {seed - 1}"
        )
