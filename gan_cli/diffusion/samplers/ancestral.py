"""Ancestral sampling: Ho et al. 2020 (arXiv:2006.11239), Algorithm 2."""

import math
from collections.abc import Iterator
from typing import Literal

from torch import Tensor

from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.posterior import posterior
from gan_cli.diffusion.samplers.sampler import Sampler, Steps, as_noise, samplers
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise


@samplers.register("ancestral")
class Ancestral(Sampler):
    """Draws x_s ~ q(x_s | x_t, x_0) for the estimated x_0, step by step.

    The smallest variance is right for a single point as data, the largest for normal ones.
    """

    def __init__(
        self,
        *,
        steps: Steps = 1000,  # calls of the network
        variance: Literal["small", "large", "learned"] = "large",  # of a step; large: as published
    ) -> None:
        super().__init__(steps)
        self.variance = variance

    def check(self, schedule: NoiseSchedule, predicts_variance: bool) -> None:
        super().check(schedule, predicts_variance)
        if self.variance == "learned" and not predicts_variance:
            raise ConfigError(
                "variance: 'learned' needs a network that predicts it, and this one does not; "
                "type variance=large or small"
            )

    def path(
        self, denoise: Denoise, schedule: NoiseSchedule, start: Tensor, noise: Noise
    ) -> Iterator[tuple[Level, Tensor]]:
        x = start
        for now, after in self.pairs(schedule):
            estimate, step = denoise(x, now), posterior(now, after)
            x = step.mean(x, estimate.x0)
            if after.sigma > 0:  # the last step adds no noise
                x = x + self.std(step.small, step.large, estimate.spread) * as_noise(noise, x)
            yield after, x

    def std(self, small: float, large: float, spread: Tensor | None) -> Tensor | float:
        """Returns the standard deviation between those of two variances."""
        if self.variance == "learned":
            assert spread is not None
            share = (spread * math.log(large) + (1 - spread) * math.log(small)) / 2
            return share.exp()
        return math.sqrt(large if self.variance == "large" else small)
