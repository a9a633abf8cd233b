"""DDIM: Song, Meng & Ermon 2021 (arXiv:2010.02502), Equation 12."""

from collections.abc import Iterator

from torch import Tensor

from gan_cli.config.ranges import Share
from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.posterior import posterior
from gan_cli.diffusion.samplers.sampler import Sampler, Spacing, Steps, as_noise, samplers
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule
from gan_cli.utils.noise import Noise


@samplers.register("ddim")
class DDIM(Sampler):
    """Moves the estimates of data and noise to the next level.

    `eta` is the share of the posterior's standard deviation that is drawn anew: 0 is
    deterministic, the Euler method for the probability flow; 1 is ancestral sampling with the
    small variance.
    """

    def __init__(
        self,
        *,
        steps: Steps = 50,  # calls of the network
        eta: Share = 0.0,  # share of new noise; 0: the sample depends on the start alone
        spacing: Spacing = "time",  # of the times: even, or even in log SNR, or that of EDM
    ) -> None:
        super().__init__(steps)
        self.eta, self.spacing = eta, spacing
        self.deterministic = eta == 0

    def path(
        self, denoise: Denoise, schedule: NoiseSchedule, start: Tensor, noise: Noise
    ) -> Iterator[tuple[Level, Tensor]]:
        x = start
        for now, after in self.pairs(schedule):
            estimate = denoise(x, now)
            new = self.eta**2 * posterior(now, after).small
            x = after.alpha * estimate.x0 + (after.sigma**2 - new) ** 0.5 * estimate.eps
            if new > 0:
                x = x + new**0.5 * as_noise(noise, x)
            yield after, x
