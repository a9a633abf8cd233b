"""The Gaussian closest to a known density, which f-GAN's univariate experiment is to find."""

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

POINTS = 4001  # of the trapezoidal rule: 4 to a deviation that is a thousandth of the range
COLLAPSED = 1e-12  # what samples that are all the same have for a deviation
RATIO = 300.0  # log p/q is held within this, of either sign: f, and f times q, stay in float64


@metrics.register("gaussian_fit")
class GaussianFit:
    """Mean and deviation of samples against those that minimize D_f(P || N(mu, sigma^2)).

    Nowozin et al. 2016 (arXiv:1606.00709), Section 2.4, for an affine generator and data on a line.
    `divergence` is the f-GAN loss of that f. The least divergence and where it is come from
    integrals of the data's own density, and `divergence` is that of the samples' mu and sigma, on
    the scale of the loss's log. `fit_error` is the larger of the errors of mu and sigma. `bound` is
    the critic's estimate of the divergence, a lower bound up to the noise of so many samples.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"density", "samples", "judged"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = False
    minimum = 2

    def __init__(self, *, divergence: Component) -> None:
        loss = losses.build(divergence, where="divergence")
        if not isinstance(loss, FDivergence):
            raise ConfigError(
                f"divergence: '{divergence.get('name')}' is no f-divergence; choose loss=f_kl, "
                "or another that begins with f_"
            )
        self.loss = loss

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.density is not None
        assert fake.samples is not None
        points = fake.samples.double()
        mu, sigma = points.mean().item(), max(points.std().item(), COLLAPSED)
        closest_mu, closest_sigma = closest_gaussian(self.loss, real.density)
        return {
            "fit_error": max(abs(mu - closest_mu), abs(sigma - closest_sigma)),
            "mu": mu,
            "sigma": sigma,
            **self.bound(real.judged, fake.judged),
            "divergence": self.shown(real.density, mu, sigma),
            "closest_mu": closest_mu,
            "closest_sigma": closest_sigma,
            "least_divergence": self.shown(real.density, closest_mu, closest_sigma),
        }

    def bound(self, real: Tensor | None, fake: Tensor | None) -> dict[str, float]:
        """Of the critic's logits, where there is a critic."""
        if real is None or fake is None:
            return {}
        return {"bound": self.loss.shown(self.loss.bound(real.double(), fake.double())).item()}

    def shown(self, density: Density, mu: float, sigma: float) -> float:
        return self.loss.shown(divergence(self.loss, density, mu, sigma)).item()


def divergence(loss: FDivergence, density: Density, mu: float, sigma: float) -> Tensor:
    """D_f(P || N(mu, sigma^2)), the integral of q f(p/q), by the trapezoidal rule; () float64."""
    low, high = min(density.low, mu - 12 * sigma), max(density.high, mu + 12 * sigma)
    x = torch.linspace(low, high, POINTS, dtype=torch.float64)
    log_p, log_q = density.log(x), log_gaussian(x, mu, sigma)
    log_ratio = (log_p - log_q).clamp(-RATIO, RATIO)
    q = torch.maximum(log_q, log_p - RATIO).exp()
    return torch.trapezoid(q * loss.f(log_ratio.exp()), x)


def log_gaussian(x: Tensor, mu: float, sigma: float) -> Tensor:
    return -(((x - mu) / sigma).square() / 2) - math.log(sigma) - math.log(2 * math.pi) / 2


def closest_gaussian(loss: FDivergence, density: Density) -> tuple[float, float]:
    """(mu, sigma) of the least divergence: the best of a coarse grid, then the simplex method.

    The grid, since of data with several modes there may be a minimum at each.
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
