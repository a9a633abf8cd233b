"""Samples of which a part is given: Song et al. 2021 (arXiv:2011.13456), Appendix I.2."""

from torch import Tensor

from gan_cli.diffusion.denoiser import Denoise, Estimate
from gan_cli.diffusion.schedules.schedule import Level


def projected(denoise: Denoise, samples: Tensor, known: Tensor) -> Denoise:
    """Returns `denoise` with `samples` as the estimated data where `known` is 1.

    So every sampler leads to the given values there, with noise of its own on the way.
    """

    def estimate(x: Tensor, level: Level) -> Estimate:
        found = denoise(x, level)
        x0 = known * samples + (1 - known) * found.x0
        return Estimate(x0, (x - level.alpha * x0) / level.sigma, found.spread)

    return estimate
