"""Layers that condition a network on labels. With conditioning "none", labels are ignored."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

GeneratorConditioning = Literal["none", "embed", "concat", "batch_norm"]
DiscriminatorConditioning = Literal["none", "concat", "projection", "auxiliary"]


class LatentLabel(nn.Module):
    """Combines labels with latents.

    "concat" concatenates the latent and an embedding that is initialized to the one-hot code (Mirza
    & Osindero 2014, arXiv:1411.1784, Figure 1). "embed" multiplies the latent by an embedding, as
    simple conditional GANs do. "none" and "batch_norm" return the latent unchanged.
    """

    def __init__(self, conditioning: GeneratorConditioning, latent_dim: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, latent_dim) if conditioning == "embed" else None
        self.concat = conditioning == "concat"
        self.width = latent_dim  # length of the output
        if self.concat:
            # The embedding is weak compared with the latent. With one ~ N(0, I) of the length of
            # the latent, all MNIST digits of a class looked alike: after 1,000 steps their standard
            # deviation was 0.02, with the one-hot code 0.21, in the data 0.24.
            self.embedding = nn.Embedding(classes, classes)
            nn.init.eye_(self.embedding.weight)
            self.width += classes

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        if self.embedding is None:
            return latent
        assert label is not None, "a conditional network was called without labels"
        embedded = self.embedding(label)  # (N, classes) or (N, latent_dim)
        return torch.cat((latent, embedded), 1) if self.concat else latent * embedded


class SampleLabel(nn.Module):
    """With "concat", concatenates samples and an embedding of their labels along dimension 1.

    Mirza & Osindero 2014, Figure 1. `shape` is that of the embedding: (1, H, W) for images, (F,)
    for vectors.
    """

    def __init__(
        self, conditioning: DiscriminatorConditioning, shape: tuple[int, ...], classes: int
    ) -> None:
        super().__init__()
        concat = conditioning == "concat"
        self.shape = shape
        self.embedding = nn.Embedding(classes, math.prod(shape)) if concat else None
        self.channels = shape[0] if concat else 0  # channels that are added

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        if self.embedding is None:
            return x
        assert label is not None, "a conditional network was called without labels"
        embedded = self.embedding(label).view(-1, *self.shape)  # (N, 1, H, W) or (N, F)
        return torch.cat((x, embedded.to(x.dtype)), 1)


class Head(nn.Module):
    """Last layer of a discriminator: features (N, F) to logits (N,).

    "projection" computes logit(h) + V[label] . h (Miyato & Koyama 2018, arXiv:1802.05637, Equation
    3). "auxiliary" adds class logits (Odena et al. 2017, arXiv:1610.09585, Section 3).
    """

    def __init__(
        self,
        conditioning: DiscriminatorConditioning,
        features: int,
        classes: int,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.logit = nn.Linear(features, 1, bias=bias)
        projects, auxiliary = conditioning == "projection", conditioning == "auxiliary"
        # A linear layer, so that it is initialized and spectrally normalized like other layers.
        self.projection = nn.Linear(features, classes, bias=False) if projects else None
        self.classifier = nn.Linear(features, classes) if auxiliary else None

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        logit = self.logit(features).squeeze(1)  # (N,)
        if self.projection is None:
            return logit
        assert label is not None, "a conditional network was called without labels"
        return logit + self.projection(features).gather(1, label[:, None]).squeeze(1)

    def classify(self, features: Tensor) -> Tensor:
        """Class logits (N, classes)."""
        assert self.classifier is not None, "only conditioning=auxiliary has a classifier"
        return self.classifier(features)


class Discriminator(nn.Module):
    """A discriminator that consists of features and a head, which a subclass defines.

    So is `forward`: the names of its parameters are those of the inputs of an exported network.
    """

    features: Any  # method: samples (N, *shape) and labels (N,) or None to features (N, F)
    head: Any  # features (N, F) and labels to logits (N,)

    def class_logits(self, features: Tensor) -> Tensor:
        """Features (N, F) to the class logits (N, classes) of the auxiliary classifier."""
        return self.head.classify(features)

    def classify(self, sample: Tensor) -> Tensor:
        """Samples (N, *shape) to class logits (N, classes)."""
        return self.class_logits(self.features(sample, None))

    def logits_and_classes(self, sample: Tensor) -> tuple[Tensor, Tensor]:
        """Samples (N, *shape) to logits (N,) and class logits (N, classes), in one pass."""
        features = self.features(sample, None)
        return self.head(features, None), self.class_logits(features)
