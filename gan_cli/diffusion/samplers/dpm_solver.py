"""DPM-Solver++(2M): Lu et al. 2022 (arXiv:2211.01095), Algorithm 2."""

import math
from collections.abc import Iterator

from torch import Tensor

from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.samplers.sampler import Sampler, Spacing, Steps, samplers
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule
from gan_cli.utils.noise import Noise


@samplers.register("dpm_solver")
class DPMSolver(Sampler):
    """Multistep method of second order, for the estimated data as a function of log SNR.

    It needs one call of the network for each step. The first and the last step are of first order.
    """

    deterministic = True

    def __init__(
        self,
        *,
        steps: Steps = 20,  # calls of the network
        spacing: Spacing = "log_snr",  # of the times: even, or even in log SNR, or that of EDM
    ) -> None:
        super().__init__(steps)
        self.spacing = spacing

    def path(
        self,
        denoise: Denoise,
        schedule: NoiseSchedule,
        start: Tensor,
        noise: Noise,  # noqa: ARG002
    ) -> Iterator[tuple[Level, Tensor]]:
        x, before, last_x0 = start, None, start
        for now, after in self.pairs(schedule):
            x0 = denoise(x, now).x0
            data = x0
            if before is not None and after.sigma > 0:
                width, last_width = after.log_snr - now.log_snr, now.log_snr - before.log_snr
                data = x0 + width / (2 * last_width) * (x0 - last_x0)
            decay = math.exp(now.log_snr - after.log_snr)  # 0 at the end
            x = after.sigma / now.sigma * x + after.alpha * (1 - decay) * data
            before, last_x0 = now, x0
            yield after, x
