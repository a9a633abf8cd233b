"""Predictor-corrector sampling: Song et al. 2021 (arXiv:2011.13456), Algorithms 2 and 3."""

import math
from collections.abc import Iterator
from typing import Literal

from torch import Tensor

from gan_cli.config.ranges import Natural, Positive
from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.posterior import posterior
from gan_cli.diffusion.samplers.sampler import Sampler, Spacing, Steps, as_noise, samplers
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule
from gan_cli.utils.noise import Noise


@samplers.register("predictor_corrector")
class PredictorCorrector(Sampler):
    """Steps of the reverse process, each followed by Langevin steps at the level it leads to.

    A Langevin step adds e score + sqrt(2 e) z with e = 2 a (snr |z| / |score|)^2. The paper takes
    the norms from the batch; here they are those of a perfect network, |score| = |z| / sigma, so
    that a sample does not depend on its company. `a` is alpha_t^2 / alpha_s^2 of the step, 1 of ve.
    """

    def __init__(
        self,
        *,
        steps: Steps = 100,  # of the predictor
        corrections: Natural = 1,  # Langevin steps after each, a call of the network each
        snr: Positive = 0.16,  # signal-to-noise ratio r of a Langevin step
        variance: Literal["small", "large"] = "large",  # of a predictor's step
        spacing: Spacing = "log_snr",  # of the times: even, or even in log SNR, or that of EDM
    ) -> None:
        super().__init__(steps)
        self.corrections, self.snr = corrections, snr
        self.variance, self.spacing = variance, spacing

    def calls(self, schedule: NoiseSchedule) -> int:
        steps = super().calls(schedule)
        return steps + (steps - 1) * self.corrections

    def path(
        self, denoise: Denoise, schedule: NoiseSchedule, start: Tensor, noise: Noise
    ) -> Iterator[tuple[Level, Tensor]]:
        x = start
        for now, after in self.pairs(schedule):
            step = posterior(now, after)
            x = step.mean(x, denoise(x, now).x0)
            if after.sigma > 0:  # the last step adds no noise
                variance = step.large if self.variance == "large" else step.small
                x = x + math.sqrt(variance) * as_noise(noise, x)
                for _ in range(self.corrections):
                    x = self.corrected(x, denoise, after, (now.alpha / after.alpha) ** 2, noise)
            yield after, x

    def corrected(
        self, x: Tensor, denoise: Denoise, level: Level, decay: float, noise: Noise
    ) -> Tensor:
        """Returns x after a Langevin step, whose law is that of the level."""
        size = 2 * decay * (self.snr * level.sigma) ** 2
        score = -denoise(x, level).eps / level.sigma
        return x + size * score + math.sqrt(2 * size) * as_noise(noise, x)
