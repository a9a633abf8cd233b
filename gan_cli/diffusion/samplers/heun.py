"""Heun's method: Karras et al. 2022 (arXiv:2206.00364), Algorithms 1 and 2."""

import math
from collections.abc import Iterator

from torch import Tensor

from gan_cli.config.ranges import NonNegative
from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.samplers.sampler import (
    Sampler,
    Spacing,
    Steps,
    as_noise,
    moved,
    samplers,
)
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule
from gan_cli.utils.noise import Noise

LARGEST_CHURN = math.sqrt(2) - 1  # of the noise level, in one step


@samplers.register("heun")
class Heun(Sampler):
    """Trapezoidal steps of the probability flow d(x / alpha) = eps d(sigma / alpha).

    Each step calls the network twice, but for the last. With `churn`, S_churn in the paper, noise
    is added before each step: Algorithm 2 with S_noise = 1 at all noise levels.
    """

    def __init__(
        self,
        *,
        steps: Steps = 18,  # 2 calls of the network each, but for the last
        churn: NonNegative = 0.0,  # noise that the steps add and remove; 0: deterministic
        spacing: Spacing = "karras",  # of the times: even, or even in log SNR, or that of EDM
    ) -> None:
        super().__init__(steps)
        self.churn, self.spacing = churn, spacing
        self.deterministic = churn == 0

    def calls(self, schedule: NoiseSchedule) -> int:
        return 2 * super().calls(schedule) - 1

    def path(
        self, denoise: Denoise, schedule: NoiseSchedule, start: Tensor, noise: Noise
    ) -> Iterator[tuple[Level, Tensor]]:
        x, most = start, schedule.level(schedule.last).ratio
        for now, after in self.pairs(schedule):
            if self.churn:
                x, now = self.churned(x, now, schedule, most, noise)
            slope = denoise(x, now).eps
            end = moved(x, slope, now, after)
            if after.sigma > 0:
                end = moved(x, (slope + denoise(end, after).eps) / 2, now, after)
            x = end
            yield after, x

    def churned(
        self, x: Tensor, now: Level, schedule: NoiseSchedule, most: float, noise: Noise
    ) -> tuple[Tensor, Level]:
        """Returns samples with more noise, and their level."""
        wanted = now.ratio * (1 + min(self.churn / self.steps, LARGEST_CHURN))
        if wanted > most:
            return x, now
        level = schedule.level_at(-math.log(wanted))
        added = level.ratio**2 - now.ratio**2
        if added <= 0:
            return x, now
        return level.alpha * (x / now.alpha + math.sqrt(added) * as_noise(noise, x)), level
