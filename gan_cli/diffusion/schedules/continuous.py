"""Schedules with real times: the VP, sub-VP and VE equations, and the noise levels of EDM.

Song et al. 2021 (arXiv:2011.13456), Appendix B and C, and Karras et al. 2022 (arXiv:2206.00364).
"""

import math

import torch
from torch import Tensor

from gan_cli.config.ranges import Finite, Positive
from gan_cli.diffusion.schedules.schedule import NoiseSchedule, noise_schedules
from gan_cli.utils.errors import ConfigError

SCALE = 1000  # of what a network is told of a time, as if there were as many timesteps


@noise_schedules.register("vp")
class VariancePreserving(NoiseSchedule):
    """dx = -beta(t) x / 2 dt + sqrt(beta(t)) dw with beta on a line: DDPM in continuous time."""

    last = 1.0

    def __init__(
        self,
        *,
        beta_start: Positive = 0.1,  # beta at time 0
        beta_end: Positive = 20.0,  # beta at time 1
        first: Positive = 1e-3,  # time at which sampling ends
    ) -> None:
        if beta_start > beta_end:
            raise ConfigError(f"beta_start: {beta_start:g} is above beta_end={beta_end:g}")
        check_first(first)
        self.beta_start, self.beta_end, self.first = beta_start, beta_end, first

    def marginal(self, time: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = self.log_alpha_bar(time)
        return (alpha_bar / 2).exp(), (-torch.expm1(alpha_bar)).sqrt()

    def log_alpha_bar(self, time: Tensor) -> Tensor:
        """Returns log alpha^2, minus the integral of beta."""
        return -time * (self.beta_start + time / 2 * (self.beta_end - self.beta_start))

    def label(self, time: Tensor) -> Tensor:
        return (SCALE - 1) * time


@noise_schedules.register("sub_vp")
class SubVariancePreserving(VariancePreserving):
    """With the alpha of vp and sigma = 1 - alpha^2, so that there is less noise."""

    def marginal(self, time: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = self.log_alpha_bar(time)
        return (alpha_bar / 2).exp(), -torch.expm1(alpha_bar)


@noise_schedules.register("ve")
class VarianceExploding(NoiseSchedule):
    """alpha = 1 and sigma(t) = sigma_min (sigma_max / sigma_min)^t."""

    first, last = 0.0, 1.0

    def __init__(
        self,
        *,
        sigma_min: Positive = 0.01,  # least noise
        sigma_max: Positive = 50.0,  # most noise; about the largest distance between two samples
    ) -> None:
        check_sigmas(sigma_min, sigma_max)
        self.sigma_min, self.sigma_max, self.prior_std = sigma_min, sigma_max, sigma_max

    def marginal(self, time: Tensor) -> tuple[Tensor, Tensor]:
        sigma = self.sigma_min * (self.sigma_max / self.sigma_min) ** time
        return torch.ones_like(sigma), sigma

    def label(self, time: Tensor) -> Tensor:
        return (SCALE - 1) * time


@noise_schedules.register("edm")
class EDM(NoiseSchedule):
    """alpha = 1 and log sigma normal in training; the time is log sigma. Use prediction=edm."""

    def __init__(
        self,
        *,
        sigma_min: Positive = 0.002,  # least noise in sampling
        sigma_max: Positive = 80.0,  # most noise in sampling
        log_mean: Finite = -1.2,  # mean of log sigma in training
        log_std: Positive = 1.2,  # standard deviation of log sigma in training
    ) -> None:
        check_sigmas(sigma_min, sigma_max)
        self.first, self.last = math.log(sigma_min), math.log(sigma_max)
        self.log_mean, self.log_std, self.prior_std = log_mean, log_std, sigma_max

    def marginal(self, time: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(time), time.exp()

    def draw(self, count: int, device: torch.device) -> Tensor:
        return self.log_mean + self.log_std * torch.randn(count, device=device)

    def label(self, time: Tensor) -> Tensor:
        """log sigma / 4 as in the paper, times 1000: the scale of the sinusoids of DDPM."""
        return SCALE / 4 * time


def check_first(first: float) -> None:
    if first >= 1:
        raise ConfigError(f"first: is {first:g}, and the last time is 1; 0.001 is usual")


def check_sigmas(least: float, most: float) -> None:
    if least >= most:
        raise ConfigError(f"sigma_min: {least:g} is not below sigma_max={most:g}")
