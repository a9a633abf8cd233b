"""Noise schedules: how much of a sample and how much noise there is at a time t.

The forward process has the marginals x_t = alpha(t) x_0 + sigma(t) eps with eps ~ N(0, I). All
that samplers and losses need follows from alpha and sigma (Kingma et al. 2021, arXiv:2107.00630).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.config.registry import Registry


@dataclass(frozen=True)
class Level:
    """A time of the process, with its marginal as numbers."""

    time: float
    alpha: float
    sigma: float

    @property
    def log_snr(self) -> float:
        """lambda = log(alpha / sigma), which is infinite without noise."""
        return math.log(self.alpha / self.sigma) if self.sigma > 0 else math.inf

    @property
    def size(self) -> float:
        """Standard deviation of x_t for data with that of 1."""
        return math.hypot(self.alpha, self.sigma)

    @property
    def ratio(self) -> float:
        """sigma / alpha, the noise level of x_t / alpha."""
        return self.sigma / self.alpha


CLEAN = Level(-1.0, 1.0, 0.0)  # data without noise


class NoiseSchedule:
    """Base class of schedules. Noise grows from time `first` to time `last`."""

    timesteps: int | None = None  # number of training times 0, 1, ...; None: all real times
    first: float
    last: float
    prior_std: float = 1.0  # of the noise from which samplers start

    def marginal(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Returns alpha and sigma, with the shape and type of `time`."""
        raise NotImplementedError

    def nearest_time(self, log_snr: float) -> float:
        """Returns the training time at which log(alpha / sigma) is next to `log_snr`."""
        return self.time_at(log_snr)

    def time_at(self, log_snr: float) -> float:
        """Returns the time at which log(alpha / sigma) is `log_snr`."""
        low, high = self.first, self.last  # the ratio falls from first to last
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.level(middle).log_snr > log_snr else (low, middle)
        return (low + high) / 2

    def label(self, time: Tensor) -> Tensor:
        """Returns what the network is told of `time`, on a scale of about 0 to 1000."""
        return time

    def draw(self, count: int, device: torch.device) -> Tensor:
        """Returns random times (count,) of training, float32."""
        return self.first + (self.last - self.first) * torch.rand(count, device=device)

    def level(self, time: float) -> Level:
        """Returns the marginal at `time`, computed in float64."""
        alpha, sigma = self.marginal(torch.tensor(time, dtype=torch.float64))
        return Level(time, alpha.item(), sigma.item())

    def level_at(self, log_snr: float) -> Level:
        """Returns the level with this log(alpha / sigma)."""
        return self.level(self.time_at(log_snr))

    def place(self, device: torch.device) -> None:
        """Moves tables to the device; called before training."""


noise_schedules: Registry[NoiseSchedule] = Registry("noise schedule")
