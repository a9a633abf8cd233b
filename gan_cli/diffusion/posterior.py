"""The posterior q(x_s | x_t, x_0) of the forward process, for any two levels s < t."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from gan_cli.diffusion.schedules.schedule import Level

Number = TypeVar("Number", float, Tensor)


@dataclass(frozen=True)
class Posterior(Generic[Number]):
    """N(at_x x_t + at_x0 x_0, small I): Ho et al. 2020 (arXiv:2006.11239), Equations 6 and 7."""

    at_x: Number
    at_x0: Number
    small: Number  # variance of the posterior, beta tilde
    large: Number  # variance of x_t given x_s, beta

    def mean(self, x: Tensor, x0: Tensor) -> Tensor:
        return self.at_x * x + self.at_x0 * x0


def posterior(now: Level, after: Level) -> Posterior[float]:
    """Returns q(x_s | x_t, x_0) with t = `now` and s = `after`, which has less noise."""
    return transition(now.alpha, now.sigma, after.alpha, after.sigma)


def transition(
    alpha: Number, sigma: Number, alpha_after: Number, sigma_after: Number
) -> Posterior[Number]:
    """Returns q(x_s | x_t, x_0) for the marginals alpha, sigma of t and those of s."""
    between = alpha / alpha_after  # of x_t given x_s
    variance = sigma**2 - (between * sigma_after) ** 2
    before = (sigma_after / sigma) ** 2
    at_x0 = alpha_after * variance / sigma**2
    return Posterior(between * before, at_x0, variance * before, variance)
