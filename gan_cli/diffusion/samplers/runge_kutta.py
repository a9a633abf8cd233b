"""The probability flow by the classical Runge-Kutta method of fourth order."""

import math
from collections.abc import Iterator

from torch import Tensor

from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.samplers.sampler import Sampler, Spacing, Steps, samplers
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule
from gan_cli.utils.noise import Noise


@samplers.register("probability_flow")
class ProbabilityFlow(Sampler):
    """The flow of Song et al. 2021 (arXiv:2011.13456), Equation 13, with steps of fixed size.

    d(x / alpha) / d log(sigma / alpha) = sigma / alpha eps. Each step calls the network four
    times, the last one once. The size is fixed, since an adaptive one would depend on all samples
    of a batch. The network is asked for times between those of its training.
    """

    deterministic = True

    def __init__(
        self,
        *,
        steps: Steps = 20,  # 4 calls of the network each, but for the last
        spacing: Spacing = "log_snr",  # of the times: even, or even in log SNR, or that of EDM
    ) -> None:
        super().__init__(steps)
        self.spacing = spacing

    def calls(self, schedule: NoiseSchedule) -> int:
        return 4 * (super().calls(schedule) - 1) + 1

    def path(
        self,
        denoise: Denoise,
        schedule: NoiseSchedule,
        start: Tensor,
        noise: Noise,  # noqa: ARG002
    ) -> Iterator[tuple[Level, Tensor]]:
        x = start
        for now, after in self.pairs(schedule):
            if after.sigma > 0:
                x = after.alpha * flow(denoise, schedule, x / now.alpha, now, after)
            else:
                x = after.alpha * denoise(x, now).x0
            yield after, x


def flow(denoise: Denoise, schedule: NoiseSchedule, y: Tensor, now: Level, after: Level) -> Tensor:
    """Returns y = x / alpha at the level `after`, from that at `now`."""
    width = math.log(after.ratio / now.ratio)
    middle = schedule.level_at((now.log_snr + after.log_snr) / 2)

    def slope(y: Tensor, level: Level) -> Tensor:
        return level.ratio * denoise(level.alpha * y, level).eps

    first = slope(y, now)
    second = slope(y + width / 2 * first, middle)
    third = slope(y + width / 2 * second, middle)
    fourth = slope(y + width * third, after)
    return y + width / 6 * (first + 2 * second + 2 * third + fourth)
