"""The interface of samplers, which lead from noise to data, and their registry."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

from torch import Tensor

from gan_cli.config.ranges import Range
from gan_cli.config.registry import Registry
from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.schedules.schedule import CLEAN, Level, NoiseSchedule
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

# Of the times: evenly spaced ones, evenly spaced log(alpha / sigma), or sigma^(1/7) of EDM.
Spacing = Literal["time", "log_snr", "karras"]
# Of sigma / alpha, from which spaced levels start, as in Karras et al. 2022. That of the cosine
# schedule ends at 20,291, and most steps would be spent where a sample is still all noise. A
# schedule whose samplers start from more noise than that, as ve may, is followed from there.
MOST_NOISE = 80.0
RHO = 7  # Karras et al. 2022 (arXiv:2206.00364), Equation 5


class Sampler:
    """Base class of samplers with `steps` steps."""

    deterministic: bool = False  # is the sample a function of the noise at the start?
    spacing: Spacing = "time"

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def calls(self, schedule: NoiseSchedule) -> int:
        """Returns how often the network is called for a sample (NFE), without guidance."""
        return len(self.levels(schedule)) - 1

    def check(self, schedule: NoiseSchedule, predicts_variance: bool) -> None:  # noqa: ARG002
        """Raises ConfigError if the sampler does not go with the model."""
        if schedule.timesteps is not None and self.steps > schedule.timesteps:
            raise ConfigError(
                f"steps: {self.steps} are more than the {schedule.timesteps} timesteps of the "
                f"training; type steps={schedule.timesteps} or less"
            )

    def levels(self, schedule: NoiseSchedule) -> list[Level]:
        """Returns the levels that the steps lead through, from noise to data."""
        return [*levels_of(schedule, self.steps, self.spacing), CLEAN]

    def path(
        self, denoise: Denoise, schedule: NoiseSchedule, start: Tensor, noise: Noise
    ) -> Iterator[tuple[Level, Tensor]]:
        """Yields each level after the first with the samples (N, *shape) there.

        `start` are samples of the first level, `noise` the random numbers of each sample.
        """
        raise NotImplementedError

    def sample(
        self, denoise: Denoise, schedule: NoiseSchedule, start: Tensor, noise: Noise
    ) -> Tensor:
        """Returns the samples at the end of the path."""
        *_, (_, samples) = self.path(denoise, schedule, start, noise)
        return samples

    def pairs(self, schedule: NoiseSchedule) -> Iterator[tuple[Level, Level]]:
        """Yields each level with the next."""
        yield from pairwise(self.levels(schedule))


samplers: Registry[Sampler] = Registry("sampler")
Steps = Annotated[int, Range(least=1, limit=100_000)]


def levels_of(schedule: NoiseSchedule, steps: int, spacing: Spacing) -> list[Level]:
    """Returns `steps` levels of decreasing noise from the last time to the first."""
    first, last = schedule.first, schedule.last
    shares = [i / max(steps - 1, 1) for i in range(steps)]
    if spacing == "time":
        times = [last + (first - last) * share for share in shares]
        if schedule.timesteps is not None:
            times = [float(round(time)) for time in times]
    else:
        most, least = extremes(schedule)
        ratios = [spaced(most, least, share, spacing) for share in shares]
        times = [schedule.nearest_time(-math.log(ratio)) for ratio in ratios]
    distinct = sorted(set(times), reverse=True)  # nearest training times may coincide
    return [schedule.level(time) for time in distinct]


def log_snr_levels(schedule: NoiseSchedule, count: int) -> list[Level]:
    """Returns `count` levels of decreasing noise, evenly spaced in log SNR, at any times."""
    most, least = extremes(schedule)
    ratios = [spaced(most, least, i / (count - 1), "log_snr") for i in range(count)]
    return [schedule.level_at(-math.log(ratio)) for ratio in ratios]


def extremes(schedule: NoiseSchedule) -> tuple[float, float]:
    """Returns the largest and the least noise level sigma / alpha of samples."""
    most = min(schedule.level(schedule.last).ratio, max(MOST_NOISE, schedule.prior_std))
    return most, schedule.level(schedule.first).ratio


def spaced(most: float, least: float, share: float, spacing: Spacing) -> float:
    """Returns the noise level sigma / alpha at a `share` of the way from `most` to `least`."""
    if spacing == "log_snr":
        return most ** (1 - share) * least**share
    return ((1 - share) * most ** (1 / RHO) + share * least ** (1 / RHO)) ** RHO


def as_noise(noise: Noise, like: Tensor) -> Tensor:
    """Returns standard normal numbers with the shape, type and device of `like`."""
    return noise.normal(*like.shape[1:]).to(like)


def moved(x: Tensor, slope: Tensor, now: Level, after: Level) -> Tensor:
    """Returns `x` at the level `after`, along slope = d(x / alpha) / d(sigma / alpha)."""
    return after.alpha * (x / now.alpha + (after.ratio - now.ratio) * slope)
