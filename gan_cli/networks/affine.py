"""Generator of a single Gaussian, to study which one a divergence selects."""

import math

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Finite, Positive
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.latent import Prior
from gan_cli.networks.network import networks


@networks.register("affine_generator")
class AffineGenerator(nn.Module):
    """mu + sigma z, elementwise: Nowozin et al. 2016 (arXiv:1606.00709), Section 2.4.

    `mu` and `sigma` are the values before training. Where samples and data hardly overlap at first,
    unbounded divergences such as KL are infinite in float32.
    """

    prior: Prior = "normal"

    def __init__(self, spec: Spec, *, mu: Finite = 0.0, sigma: Positive = 1.0) -> None:
        super().__init__()
        self.latent_dim, self.shape = math.prod(spec.shape), spec.shape
        self.mu = nn.Parameter(torch.full((self.latent_dim,), mu))
        # It may become negative: z is symmetric.
        self.sigma = nn.Parameter(torch.full((self.latent_dim,), sigma))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Latents (N, latent_dim) to samples (N, *shape)."""
        return (self.mu + self.sigma * latent).view(-1, *self.shape)
