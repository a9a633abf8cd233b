"""The f-divergence of a known density and a Gaussian, and the Gaussian of which it is least."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.data.ground_truth import Density
from gan_cli.losses.f_divergences.variational import FDivergence
from gan_cli.metrics.quadrature import crossings, integral, local_maxima

SCANS = (2001, 32_001, 512_001)  # points that look for modes, until these hold all the mass
TAIL = torch.logspace(0, 16, 16 * 12 + 1, base=2, dtype=torch.float64)  # distances, in spans
NEGLIGIBLE = 50.0  # in log: a part of 2e-22
LOWEST = -1e200  # log of a density of 0, finite so that 0 times it is 0


@dataclass(frozen=True)
class Profile:
    """A density, and where on the line its modes are."""

    density: Density
    modes: Tensor  # (K,)
    widths: Tensor  # (K,), standard deviations of Gaussians with the curvatures of the modes
    points: Tensor  # sorted, dense around the modes

    @classmethod
    def of(cls, density: Density) -> "Profile":
        for count in SCANS:
            grid = torch.linspace(density.low, density.high, count, dtype=torch.float64)
            modes = local_maxima(density.log, grid)
            widths = torch.stack([width(density, mode) for mode in modes])
            around = ladder(modes, widths, density.high - density.low)
            points = torch.cat([grid[:: count // 100], around]).sort().values
            if abs(integral(lambda x: density.log(x).exp(), points) - 1) < 1e-6:
                break
        return cls(density, modes, widths, points)


def ladder(centers: Tensor, widths: Tensor, reach: float) -> Tensor:
    """Centers (K,), and points on both sides at reach / 2, reach / 4, ... to a quarter of a width.

    Whatever the ratio of width to reach, no interval is wide against its distance from a peak.
    """
    steps = reach / 2 ** torch.arange(1, 61, dtype=torch.float64)
    found = [
        torch.cat([c - wide, c[None], c + wide])
        for c, w in zip(centers, widths, strict=True)
        for wide in (steps[steps > w / 4],)
    ]
    return torch.cat(found) if found else centers


def width(density: Density, mode: Tensor) -> Tensor:
    """s of the parabola -x^2 / 2 s^2 through log p at the mode, where it has fallen by some 0.1."""
    steps = (density.high - density.low) / 2 ** torch.arange(1, 41, dtype=torch.float64)
    fall = density.log(mode[None]) - density.log(mode + steps)  # (40,)
    at = int((fall - 0.1).abs().argmin())
    return steps[at] / (2 * fall[at]).clamp(min=1e-3).sqrt()


def divergence(loss: FDivergence, profile: Profile, mu: float, sigma: float) -> float:
    """D_f(P || N(mu, sigma^2)), the integral of q f(p/q); math.inf where it has none.

    The line is split at the modes of p, of q and of the integrand, and where p = q: there total
    variation has kinks. Integrands such as p^2 / q may reach further than p and q.
    """
    density = profile.density

    def logs(x: Tensor) -> tuple[Tensor, Tensor]:
        return density.log(x).clamp(min=LOWEST), log_gaussian(x, mu, sigma).clamp(min=LOWEST)

    def log_ratio(x: Tensor) -> Tensor:
        log_p, log_q = logs(x)
        return log_p - log_q

    def log_integrand(x: Tensor) -> Tensor:
        return log_weighted(loss, *logs(x))

    low, high = min(density.low, mu - 12 * sigma), max(density.high, mu + 12 * sigma)
    center, span = (low + high) / 2, (high - low) / 2
    tails = torch.cat([center - span * TAIL.flip(0), center + span * TAIL])
    ends = log_integrand(tails[[0, -1]])
    if not (ends < torch.minimum(log_integrand(tails[[1, -2]]), torch.tensor(-750.0))).all():
        return math.inf
    of_q = torch.tensor([[mu], [sigma]], dtype=torch.float64)
    own = ladder(of_q[0], of_q[1], high - low)
    grid = torch.linspace(low, high, 101, dtype=torch.float64)
    grid = torch.cat([grid, tails, profile.points, own]).unique()
    values = log_integrand(grid)
    near = (values > values.max() - NEGLIGIBLE).nonzero().flatten()
    grid = grid[max(0, int(near[0]) - 1) : int(near[-1]) + 2]
    peaks = local_maxima(log_integrand, grid, zooms=3)
    peaks = peaks[log_integrand(peaks) > values.max() - NEGLIGIBLE]
    narrowest = torch.full_like(peaks, min(sigma, profile.widths.min().item()))
    around = ladder(peaks, narrowest, high - low)
    found = torch.cat([grid, around, crossings(log_ratio, grid)]).unique()
    points = found[(found >= grid[0]) & (found <= grid[-1])]
    one = torch.ones((), dtype=torch.float64)
    return loss.f(one).item() + integral(lambda x: log_integrand(x).exp(), points)


def log_weighted(loss: FDivergence, log_p: Tensor, log_q: Tensor) -> Tensor:
    """log of q (f(u) - f(1) - f'(1) (u - 1)) at u = p/q, from the terms of f."""
    terms = loss.terms(log_p - log_q)
    logs = [k * log_p + (1 - k) * log_q for _, k in terms]
    top = torch.stack(logs).amax(0)
    total = sum(c * (log - top).exp() for (c, _), log in zip(terms, logs, strict=True))
    assert isinstance(total, Tensor)
    return top + total.clamp(min=0).log()  # rounding may turn 0 into -1e-17


def log_gaussian(x: Tensor, mu: float, sigma: float) -> Tensor:
    return -(((x - mu) / sigma).square() / 2) - math.log(sigma) - math.log(2 * math.pi) / 2


def closest_gaussian(loss: FDivergence, profile: Profile) -> tuple[float, float]:
    """(mu, sigma) that minimize the divergence, by Nelder-Mead from the best point of a grid.

    The grid is needed because data with several modes may have a local minimum at each.
    """
    from scipy.optimize import minimize

    def objective(parameters: Sequence[float]) -> float:
        mu, log_sigma = parameters
        return divergence(loss, profile, mu, math.exp(log_sigma))

    low, high = profile.density.low, profile.density.high
    means = torch.linspace(low, high, 13).tolist()
    deviations = [(high - low) / 2**k for k in range(3, 7)]
    at_modes = zip(profile.modes.tolist(), profile.widths.tolist(), strict=True)
    starts = [(mu, s) for mu in means for s in deviations]
    mu, sigma = min(
        [*starts, *at_modes, moments(profile)],
        key=lambda start: objective((start[0], math.log(start[1]))),
    )
    log_sigma = math.log(sigma)
    simplex = [(mu, log_sigma), (mu + sigma / 4, log_sigma), (mu, log_sigma + 0.25)]
    options = {"xatol": 1e-6 * sigma, "fatol": 1e-12, "initial_simplex": simplex}
    found = minimize(objective, simplex[0], method="Nelder-Mead", options=options)
    return found.x[0].item(), math.exp(found.x[1])


def moments(profile: Profile) -> tuple[float, float]:
    """Mean and standard deviation of the density."""

    def expected(function: Callable[[Tensor], Tensor]) -> float:
        return integral(lambda x: function(x) * profile.density.log(x).exp(), profile.points)

    low = profile.density.low
    mean = low + expected(lambda x: x - low)
    return mean, expected(lambda x: (x - mean).square()) ** 0.5
