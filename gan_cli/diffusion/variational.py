"""The variational bound on the log likelihood, which teaches a network the variance of its steps.

Nichol & Dhariwal 2021 (arXiv:2102.09672), Section 3.1.
"""

import math

import torch
from torch import Tensor

from gan_cli.diffusion.schedules.schedule import NoiseSchedule

BIN = 1 / 255  # half the distance between two of 256 values on [-1, 1]
LEAST = 1e-12  # probability


def bound(
    schedule: NoiseSchedule,
    real: Tensor,
    x0: Tensor,
    time: Tensor,
    spread: Tensor,
    discrete: bool,
) -> Tensor:
    """Returns the bits per dimension (N,) that the steps from times (N,) to the ones before cost.

    `x0` are the estimates of `real`. The log variance of a step is `spread` of the way
    from that of the posterior to that of the process. At time 0 the cost is that of the data: of
    256 values if `discrete`, else of their density.
    """
    shape = (-1, *(1,) * (real.ndim - 1))
    earlier = torch.where(time > 0, time - 1, time)
    (alpha, sigma), (alpha_s, sigma_s) = schedule.marginal(time), schedule.marginal(earlier)
    first = time == 0
    alpha_s, sigma_s = alpha_s.masked_fill(first, 1), sigma_s.masked_fill(first, 0)
    between = alpha / alpha_s
    large = sigma**2 - (between * sigma_s) ** 2
    small = torch.where(first, smallest(schedule, time), large * (sigma_s / sigma) ** 2)
    at_x0 = alpha_s * large / sigma**2
    logs = [value.log().view(shape) for value in (small, large)]
    log_variance = torch.lerp(logs[0], logs[1], spread)
    error = at_x0.view(shape) * (real - x0)  # of the mean: the part of x is the same
    divergence = (
        log_variance - logs[0] - 1 + (logs[0] - log_variance).exp()
        + error.square() * (-log_variance).exp()
    ) / 2  # fmt: skip
    nll = discrete_nll if discrete else density_nll
    bits = torch.where(first.view(shape), nll(real, x0, log_variance), divergence)
    return bits.flatten(1).mean(1) / math.log(2)


def smallest(schedule: NoiseSchedule, time: Tensor) -> Tensor:
    """Returns the posterior's variance from time 1 to 0, in place of that from time 0, which is 0.

    Nichol & Dhariwal do the same.
    """
    (alpha, sigma), (alpha_s, sigma_s) = (
        schedule.marginal(torch.full_like(time, float(t))) for t in (1, 0)
    )
    large = sigma**2 - (alpha / alpha_s * sigma_s) ** 2
    return large * (sigma_s / sigma) ** 2


def density_nll(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Returns -log N(x; mean, variance), elementwise."""
    squared = (x - mean).square() * (-log_variance).exp()
    return (squared + log_variance + math.log(2 * math.pi)) / 2


def discrete_nll(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Returns -log of the mass of a normal distribution at one of 256 values on [-1, 1].

    Ho et al. 2020 (arXiv:2006.11239), Equation 13; the outer values have all of the tails.
    """
    scale = (-log_variance / 2).exp()
    upper = torch.special.ndtr(scale * (x - mean + BIN)).masked_fill(x > 1 - BIN, 1)
    lower = torch.special.ndtr(scale * (x - mean - BIN)).masked_fill(x < BIN - 1, 0)
    return -(upper - lower).clamp(min=LEAST).log()
