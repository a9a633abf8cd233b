"""The noise that leads to given samples: Song et al. 2021 (arXiv:2010.02502), Section 4.3."""

from itertools import pairwise

from torch import Tensor

from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.samplers.sampler import levels_of, moved
from gan_cli.diffusion.schedules.schedule import NoiseSchedule

CORRECTIONS = 2  # passes in which the slope at the end of a step replaces that at its start


def inverted(denoise: Denoise, schedule: NoiseSchedule, samples: Tensor, steps: int) -> Tensor:
    """Returns what `samples` (N, *shape) are at the last time, along the probability flow.

    Steps of DDIM are taken backwards. The slope of a step belongs to its noisier end, which is not
    known yet: each is corrected twice, so that the way back leads to the samples more exactly. It
    takes 3 calls of the network for each step.
    """
    levels = levels_of(schedule, steps, "log_snr")[::-1]
    x = levels[0].alpha * samples
    for now, after in pairwise(levels):
        slope = denoise(x, now).eps
        for _ in range(CORRECTIONS):
            slope = denoise(moved(x, slope, now, after), after).eps
        x = moved(x, slope, now, after)
    return x
