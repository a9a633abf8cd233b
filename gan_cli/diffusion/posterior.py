"""The posterior q(x_s | x_t, x_0) of the forward process, for any two levels s < t."""

from dataclasses import dataclass

from torch import Tensor

from gan_cli.diffusion.schedules.schedule import Level


@dataclass(frozen=True)
class Posterior:
    """N(at_x x_t + at_x0 x_0, small I): Ho et al. 2020 (arXiv:2006.11239), Equations 6 and 7."""

    at_x: float
    at_x0: float
    small: float  # variance of the posterior, beta tilde
    large: float  # variance of x_t given x_s, beta

    def mean(self, x: Tensor, x0: Tensor) -> Tensor:
        return self.at_x * x + self.at_x0 * x0


def posterior(now: Level, after: Level) -> Posterior:
    """Returns q(x_s | x_t, x_0) with t = `now` and s = `after`, which has less noise."""
    between = now.alpha / after.alpha  # of x_t given x_s
    variance = now.sigma**2 - (between * after.sigma) ** 2
    before = (after.sigma / now.sigma) ** 2
    at_x0 = after.alpha * variance / now.sigma**2
    return Posterior(between * before, at_x0, variance * before, variance)
