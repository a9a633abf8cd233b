"""Schedules with a table of alpha_bar at times 0, ..., T - 1: linear, cosine, sigmoid, vp_steps.

alpha = sqrt(alpha_bar), sigma = sqrt(1 - alpha_bar), alpha_bar = cumprod(1 - beta).
"""

import math

import torch
from torch import Tensor

from gan_cli.config.ranges import Count, Finite, Positive, ProperShare
from gan_cli.diffusion.schedules.continuous import VariancePreserving
from gan_cli.diffusion.schedules.schedule import NoiseSchedule, noise_schedules
from gan_cli.utils.errors import ConfigError

LARGEST_BETA = 0.999  # of cosine and sigmoid: Nichol & Dhariwal 2021, Section 3.2


class Tabulated(NoiseSchedule):
    """A schedule of `timesteps` times; between them log(alpha / sigma) is interpolated."""

    first = 0.0

    def __init__(self, betas: Tensor) -> None:
        """`betas` are the variances (T,) float64 of the noise that each time adds."""
        self.betas = betas
        self.timesteps, self.last = len(betas), float(len(betas) - 1)
        alpha_bar = torch.cumprod(1 - betas, 0)
        self.table = (alpha_bar.log() - torch.log1p(-alpha_bar)) / 2  # log(alpha / sigma), (T,)
        self.placed = self.table.float()

    def place(self, device: torch.device) -> None:
        self.placed = self.table.to(device, torch.float32)

    def marginal(self, time: Tensor) -> tuple[Tensor, Tensor]:
        table = self.table if time.dtype == torch.float64 else self.placed
        below = time.floor().clamp(0, self.last).long()
        above = (below + 1).clamp(max=int(self.last))
        log_snr = torch.lerp(table[below], table[above], time - below)
        return torch.sigmoid(2 * log_snr).sqrt(), torch.sigmoid(-2 * log_snr).sqrt()

    def nearest_time(self, log_snr: float) -> float:
        return float((self.table - log_snr).abs().argmin())

    def draw(self, count: int, device: torch.device) -> Tensor:
        assert self.timesteps is not None
        return torch.randint(self.timesteps, (count,), device=device).float()


@noise_schedules.register("linear")
class Linear(Tabulated):
    """Betas on a line: Ho et al. 2020 (arXiv:2006.11239), Section 4.

    They belong to 1,000 timesteps. With T of them all are 1000 / T times as large.
    """

    def __init__(
        self,
        *,
        timesteps: Count = 1000,  # T, times of the forward process
        beta_start: ProperShare = 1e-4,  # first variance, of 1,000 timesteps
        beta_end: ProperShare = 0.02,  # last variance, of 1,000 timesteps
    ) -> None:
        check_timesteps(timesteps)
        scale = 1000 / timesteps
        if scale * max(beta_start, beta_end) >= 1:
            raise ConfigError(
                f"timesteps: {timesteps} makes betas of {scale * max(beta_start, beta_end):.3g}, "
                "and they are below 1; use more timesteps, a smaller beta_end or name=cosine"
            )
        super().__init__(
            torch.linspace(scale * beta_start, scale * beta_end, timesteps, dtype=torch.float64)
        )


@noise_schedules.register("cosine")
class Cosine(Tabulated):
    """alpha_bar is a squared cosine: Nichol & Dhariwal 2021 (arXiv:2102.09672), Equation 17."""

    def __init__(
        self,
        *,
        timesteps: Count = 1000,  # T, times of the forward process
        offset: Positive = 0.008,  # s, which keeps the first betas from being too small
    ) -> None:
        check_timesteps(timesteps)
        share = torch.linspace(0, 1, timesteps + 1, dtype=torch.float64)
        super().__init__(betas_of(((share + offset) / (1 + offset) * math.pi / 2).cos() ** 2))


@noise_schedules.register("sigmoid")
class Sigmoid(Tabulated):
    """alpha_bar falls along a sigmoid: Jabri et al. 2022 (arXiv:2212.11972), Algorithm 2."""

    def __init__(
        self,
        *,
        timesteps: Count = 1000,  # T, times of the forward process
        start: Finite = -3.0,  # argument of the sigmoid without noise
        end: Finite = 3.0,  # argument of the sigmoid at time T
        temperature: Positive = 1.0,  # divides the arguments
    ) -> None:
        check_timesteps(timesteps)
        if start >= end:
            raise ConfigError(f"start: is {start:g}, and must be below end={end:g}")
        ends = torch.tensor([start, end], dtype=torch.float64) / temperature
        share = torch.linspace(0, 1, timesteps + 1, dtype=torch.float64)
        curve = torch.sigmoid(ends[0] + (ends[1] - ends[0]) * share)
        super().__init__(betas_of((curve[-1] - curve) / (curve[-1] - curve[0])))


@noise_schedules.register("vp_steps")
class CoarseVariancePreserving(Tabulated):
    """The schedule vp in a few large steps: Xiao et al. 2022 (arXiv:2112.07804), Appendix."""

    def __init__(
        self,
        *,
        timesteps: Count = 4,  # T, times of the forward process
        beta_start: Positive = 0.1,  # beta at time 0
        beta_end: Positive = 20.0,  # beta at time 1
        first: Positive = 1e-3,  # time without noise
    ) -> None:
        check_timesteps(timesteps)
        fine = VariancePreserving(beta_start=beta_start, beta_end=beta_end, first=first)
        times = torch.linspace(first, 1, timesteps + 1, dtype=torch.float64)
        super().__init__(betas_of(fine.log_alpha_bar(times).exp()))


def betas_of(alpha_bar: Tensor) -> Tensor:
    """The betas (T,) that lead from each of alpha_bar (T + 1,) to the next."""
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=LARGEST_BETA)


def check_timesteps(timesteps: int) -> None:
    """Raises ConfigError for fewer than two timesteps, between which noise could grow."""
    if timesteps < 2:
        raise ConfigError(f"timesteps: must be at least 2, got {timesteps}; 1000 are usual")
