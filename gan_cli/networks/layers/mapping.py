"""The mapping network from latents and labels to styles: Karras et al. 2020 (arXiv:2006.06676)."""

import torch
from torch import Tensor, nn

from gan_cli.networks.layers.equalized import (
    EqualLinear,
    activate,
    at_least_float32,
    full_precision,
)

LR_MULTIPLIER = 0.01  # the mapping network learns so many times as fast as the others
EPSILON = 1e-8  # of the authors' code


class Mapping(nn.Module):
    """Fully connected layers with leaky ReLU. Latent and label are normalized before.

    With `latent_dim` = 0 it maps labels alone, for a projection discriminator; with `classes` = 0,
    latents alone.
    """

    def __init__(self, latent_dim: int, classes: int, width: int, depth: int) -> None:
        super().__init__()
        self.embedding = EqualLinear(classes, width) if classes else None
        inputs = latent_dim + (width if classes else 0)
        self.layers = nn.ModuleList(
            EqualLinear(width if i else inputs, width, lr_multiplier=LR_MULTIPLIER)
            for i in range(depth)
        )

    def forward(self, latent: Tensor | None, label: Tensor | None) -> Tensor:
        """Latents (N, latent_dim), labels (N,) or both to (N, width)."""
        parts = []
        if latent is not None:
            parts.append(normalized(latent))
        if self.embedding is not None:
            assert label is not None, "a conditional network was called without labels"
            parts.append(normalized(self.embedding.of_class(label)))
        h = torch.cat(parts, 1)
        with full_precision(h):
            for layer in self.layers:
                h = activate(layer(h))
        return h


def normalized(x: Tensor) -> Tensor:
    """Vectors (N, D) divided by their root mean square."""
    x = at_least_float32(x)
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()
