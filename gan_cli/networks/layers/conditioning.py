"""How labels enter a network. A network whose conditioning is "none" ignores them."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

GeneratorConditioning = Literal["none", "embed", "concat", "batch_norm"]
DiscriminatorConditioning = Literal["none", "concat", "projection", "auxiliary"]


class LatentLabel(nn.Module):
    """A label joins the latent.

    concat: latent ++ embedding (Mirza & Osindero 2014, arXiv:1411.1784, Figure 1), which starts as
    the one-hot code. embed: latent * embedding, the simplest conditional GAN of the tutorials.
    "none" and "batch_norm" leave the latent alone.
    """

    def __init__(self, conditioning: GeneratorConditioning, latent_dim: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, latent_dim) if conditioning == "embed" else None
        self.concat = conditioning == "concat"
        self.width = latent_dim  # of the two together
        if self.concat:
            # Weak beside the latent on purpose. With an embedding ~ N(0, I) as long as the latent,
            # the MNIST digits of a class all looked alike: their deviation after 1,000 steps was
            # 0.02, with the one-hot code 0.21, in the data 0.24.
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
    """concat: a label joins a sample as an embedding of `shape` (Mirza & Osindero 2014, Figure 1).

    A map (1, H, W) beside the channels of an image, or features (F,) beside those of a vector.
    """

    def __init__(
        self, conditioning: DiscriminatorConditioning, shape: tuple[int, ...], classes: int
    ) -> None:
        super().__init__()
        joins = conditioning == "concat"
        self.shape = shape
        self.embedding = nn.Embedding(classes, math.prod(shape)) if joins else None
        self.channels = shape[0] if joins else 0  # how many it adds

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        if self.embedding is None:
            return x
        assert label is not None, "a conditional network was called without labels"
        embedded = self.embedding(label).view(-1, *self.shape)  # (N, 1, H, W) or (N, F)
        return torch.cat((x, embedded.to(x.dtype)), 1)


class Head(nn.Module):
    """Features (N, F) to logits (N,), and whatever the labels ask for.

    projection: logit(h) + V[label] . h, Miyato & Koyama 2018 (arXiv:1802.05637), Equation 3.
    auxiliary: class logits beside the logit, Odena et al. 2017 (arXiv:1610.09585), Section 3.
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
        # A linear layer and not an embedding: initialized and spectrally normalized like the rest.
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
