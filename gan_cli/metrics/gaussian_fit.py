"""Compares a fitted Gaussian with the one closest to a known density, as in f-GAN's experiment."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.config.registry import Component
from gan_cli.data.ground_truth import Density
from gan_cli.losses import losses
from gan_cli.losses.f_divergences.variational import FDivergence
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.utils.errors import ConfigError

POINTS = 4001  # of the trapezoidal rule: 4 per standard deviation of a thousandth of the range
MIN_SIGMA = 1e-12  # standard deviation of samples that are all equal
MAX_LOG_RATIO = 300.0  # |log p/q| is clamped to this, so that f and q f do not overflow float64


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

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.density is not None
        assert fake.samples is not None
        points = fake.samples.double()
        mu, sigma = points.mean().item(), max(points.std().item(), MIN_SIGMA)
        closest_mu, closest_sigma = closest_gaussian(self.loss, real.density)
        return {
            "fit_error": max(abs(mu - closest_mu), abs(sigma - closest_sigma)),
            "mu": mu,
            "sigma": sigma,
            **self.bound(real.critic_logits, fake.critic_logits),
            "divergence": self.divergence(real.density, mu, sigma),
            "closest_mu": closest_mu,
            "closest_sigma": closest_sigma,
            "least_divergence": self.divergence(real.density, closest_mu, closest_sigma),
        }

    def bound(self, real: Tensor | None, fake: Tensor | None) -> dict[str, float]:
        """The critic's estimate of the divergence, if there is a critic."""
        if real is None or fake is None:
            return {}
        return {"bound": self.loss.rescaled(self.loss.bound(real.double(), fake.double())).item()}

    def divergence(self, density: Density, mu: float, sigma: float) -> float:
        """D_f(P || N(mu, sigma^2)) on the scale that the loss logs."""
        return self.loss.rescaled(divergence(self.loss, density, mu, sigma)).item()


def divergence(loss: FDivergence, density: Density, mu: float, sigma: float) -> Tensor:
    """D_f(P || N(mu, sigma^2)), the integral of q f(p/q), by the trapezoidal rule; () float64."""
    low, high = min(density.low, mu - 12 * sigma), max(density.high, mu + 12 * sigma)
    x = torch.linspace(low, high, POINTS, dtype=torch.float64)
    log_p, log_q = density.log(x), log_gaussian(x, mu, sigma)
    log_ratio = (log_p - log_q).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    q = torch.maximum(log_q, log_p - MAX_LOG_RATIO).exp()
    return torch.trapezoid(q * loss.f(log_ratio.exp()), x)


def log_gaussian(x: Tensor, mu: float, sigma: float) -> Tensor:
    return -(((x - mu) / sigma).square() / 2) - math.log(sigma) - math.log(2 * math.pi) / 2


def closest_gaussian(loss: FDivergence, density: Density) -> tuple[float, float]:
    """(mu, sigma) that minimize the divergence, by Nelder-Mead from the best point of a grid.

    The grid is needed because data with several modes may have a local minimum at each.
    """
    from scipy.optimize import minimize

    def objective(parameters: tuple[float, float]) -> float:
        mu, log_sigma = parameters
        return divergence(loss, density, mu, math.exp(log_sigma)).item()

    width = density.high - density.low
    means = torch.linspace(density.low, density.high, 15).tolist()
    deviations = [width / 2**k for k in range(2, 8)]
    start = min(((mu, math.log(s)) for mu in means for s in deviations), key=objective)
    options = {"xatol": 1e-6, "fatol": 1e-12}
    found = minimize(objective, start, method="Nelder-Mead", options=options)
    return found.x[0].item(), math.exp(found.x[1])
