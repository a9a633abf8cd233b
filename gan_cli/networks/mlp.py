"""Fully connected networks for vectors and small images.

Goodfellow et al. 2014 (arXiv:1406.2661), Section 5.
"""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Units
from gan_cli.data.kinds import kind_of
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
from gan_cli.networks.layers.dense import (
    ACTIVATIONS,
    Activation,
    Init,
    hidden_layers,
    initialize,
    units,
)
from gan_cli.networks.layers.latent import Prior
from gan_cli.networks.layers.minibatch import Minibatch, minibatch_layer
from gan_cli.networks.layers.norm import Norm, Normalize, apply_spectral_norm
from gan_cli.networks.network import networks

LABEL_FEATURES = 50  # length of a label's embedding: Mirza & Osindero 2014, Section 4.1


@networks.register("mlp_generator")
class MLPGenerator(nn.Module):
    """Generator with `depth` hidden layers of `width` units."""

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 64,  # length of the latent vector
        prior: Prior = "normal",  # of the latents: N(0, I), or uniform on [-1, 1]
        width: Units = 256,  # units of a hidden layer
        depth: Depth = 3,  # hidden layers
        norm: Norm = "batch",  # norm layers
        activation: Activation = "relu",  # of the hidden layers
        init: Init = "uniform",  # of the weights; uniform is PyTorch's default
        conditioning: GeneratorConditioning = "none",  # how the label enters; none: not at all
        output: Literal["tanh", "linear"] | None = None,  # None: tanh for images and sound
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        classes = spec.classes if conditioning == "batch_norm" else 0
        self.conditional = conditioning != "none"
        self.latent_dim, self.prior, self.shape = latent_dim, prior, spec.shape
        self.bounded = output == "tanh" or (
            output is None and kind_of(spec.fields[spec.target]).bounded
        )
        self.condition = LatentLabel(conditioning, latent_dim, spec.classes)
        self.activate = ACTIVATIONS[activation]
        self.hidden = hidden_layers(self.condition.width, width, depth, norm, activation)
        count = units(width, activation)
        self.norms = nn.ModuleList(Normalize(norm, count, classes, maps=False) for _ in self.hidden)
        self.output = nn.Linear(width, math.prod(spec.shape))
        initialize(self, init)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to samples (N, *shape)."""
        h = self.condition(latent, label)
        for linear, norm in zip(self.hidden, self.norms, strict=True):
            h = self.activate(norm(linear(h), label))  # (N, width)
        sample = self.output(h).view(-1, *self.shape)
        return torch.tanh(sample) if self.bounded else sample


@networks.register("mlp_discriminator")
class MLPDiscriminator(Discriminator):
    """Discriminator with `depth` hidden layers of `width` units."""

    first_blocks: ClassVar = ("hidden", "norms")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 256,  # units of a hidden layer
        depth: Depth = 3,  # hidden layers
        norm: Norm = "none",  # norm layers
        activation: Activation = "leaky_relu",  # of the hidden layers
        init: Init = "uniform",  # of the weights; uniform is PyTorch's default
        spectral_norm: bool = False,  # spectral normalization of all weights
        minibatch: Minibatch = "none",  # statistics over the batch, beside the features
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, norm)
        self.auxiliary = conditioning == "auxiliary"
        labelled = conditioning in ("concat", "projection")
        self.pointwise = minibatch == "none" and not labelled  # depends on the sample only
        self.condition = SampleLabel(conditioning, (LABEL_FEATURES,), spec.classes)
        inputs = math.prod(spec.shape) + self.condition.channels
        self.activate = ACTIVATIONS[activation]
        self.hidden = hidden_layers(inputs, width, depth, norm, activation)
        count = units(width, activation)
        self.norms = nn.ModuleList(Normalize(norm, count, maps=False) for _ in self.hidden)
        self.minibatch, features = minibatch_layer(minibatch, width)
        self.head = Head(conditioning, features, spec.classes)
        initialize(self, init)
        if spectral_norm:
            apply_spectral_norm(self)

    def features(self, sample: Tensor, label: Tensor | None) -> Tensor:
        h = self.condition(sample.flatten(1), label)
        for linear, norm in zip(self.hidden, self.norms, strict=True):
            h = self.activate(norm(linear(h)))  # (N, width)
        return self.minibatch(h)

    def forward(self, sample: Tensor, label: Tensor | None = None) -> Tensor:
        """Samples (N, *shape) to logits (N,)."""
        return self.head(self.features(sample, label), label)
