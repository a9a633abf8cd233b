"""Compares a fitted Gaussian with the one closest to a known density, as in f-GAN's experiment."""

from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.config.registry import Component
from gan_cli.data.ground_truth import Density
from gan_cli.losses import losses
from gan_cli.losses.f_divergences.variational import FDivergence
from gan_cli.metrics.closest_gaussian import Profile, closest_gaussian, divergence
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.utils.errors import ConfigError

MIN_SIGMA = 1e-12  # standard deviation of samples that are all equal


@metrics.register("gaussian_fit")
class GaussianFit:
    """Mean and standard deviation of samples against those that minimize D_f(P || N(mu, sigma^2)).

    Nowozin et al. 2016 (arXiv:1606.00709), Section 2.4, for an affine generator and data on a line.
    The option `divergence` is the f-GAN loss of f. The least divergence and its mu and sigma come
    from integrals of the known density. The value `divergence` is that of the mu and sigma of the
    samples, on the scale that the loss logs. `fit_error` is the larger of the errors of mu and
    sigma. `bound` is the critic's estimate of the divergence, a lower bound up to sampling noise.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"density", "samples", "critic_logits"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = False
    minimum = 2

    def __init__(self, *, divergence: Component) -> None:
        loss = losses.build(divergence, where="divergence")
        if not isinstance(loss, FDivergence):
            raise ConfigError(
                f"divergence: '{divergence.get('name')}' is no f-divergence; choose loss=f_kl, "
                "or another loss that begins with f_"
            )
        self.loss = loss
        self.known: tuple[Density, Profile, tuple[float, float]] | None = None

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.density is not None
        assert fake.samples is not None
        points = fake.samples.double()
        mu, sigma = points.mean().item(), max(points.std().item(), MIN_SIGMA)
        profile, (closest_mu, closest_sigma) = self.closest(real.density)
        return {
            "fit_error": max(abs(mu - closest_mu), abs(sigma - closest_sigma)),
            "mu": mu,
            "sigma": sigma,
            **self.bound(real.critic_logits, fake.critic_logits),
            "divergence": self.divergence(profile, mu, sigma),
            "closest_mu": closest_mu,
            "closest_sigma": closest_sigma,
            "least_divergence": self.divergence(profile, closest_mu, closest_sigma),
        }

    def closest(self, density: Density) -> tuple[Profile, tuple[float, float]]:
        """The profile of a density and its closest Gaussian, found once for all evaluations."""
        if self.known is None or self.known[0] is not density:
            profile = Profile.of(density)
            self.known = density, profile, closest_gaussian(self.loss, profile)
        return self.known[1:]

    def bound(self, real: Tensor | None, fake: Tensor | None) -> dict[str, float]:
        """The critic's estimate of the divergence, if there is a critic."""
        if real is None or fake is None:
            return {}
        return {"bound": self.loss.rescaled(self.loss.bound(real.double(), fake.double())).item()}

    def divergence(self, profile: Profile, mu: float, sigma: float) -> float:
        """D_f(P || N(mu, sigma^2)) on the scale that the loss logs."""
        found = divergence(self.loss, profile, mu, sigma)
        return self.loss.rescaled(torch.tensor(found, dtype=torch.float64)).item()
