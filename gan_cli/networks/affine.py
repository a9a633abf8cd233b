"""Generator of a single Gaussian, to study which one a divergence selects."""

import math

import torch
from torch import Tensor, nn

from gan_cli.data.spec import Spec
from gan_cli.networks.layers.latent import Prior
from gan_cli.networks.network import networks


@networks.register("affine_generator")
class AffineGenerator(nn.Module):
    """mu + sigma z, elementwise: Nowozin et al. 2016 (arXiv:1606.00709), Section 2.4."""

    prior: Prior = "normal"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.latent_dim, self.shape = math.prod(spec.shape), spec.shape
        self.mu = nn.Parameter(torch.zeros(self.latent_dim))
        self.sigma = nn.Parameter(torch.ones(self.latent_dim))  # may be negative: z is symmetric

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Latents (N, latent_dim) to samples (N, *shape)."""
        return (self.mu + self.sigma * latent).view(-1, *self.shape)
