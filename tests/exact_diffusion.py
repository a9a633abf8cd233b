"""A mixture of normal distributions, whose scores are known at every noise level."""

import math

import torch
from torch import Tensor

from gan_cli.diffusion import noise_schedules, samplers
from gan_cli.diffusion.denoiser import Estimate
from gan_cli.diffusion.samplers.sampler import Sampler
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule
from gan_cli.utils.noise import Noise

STD = 0.05  # of a mode; the radius of the ring is 1


class OneStream(Noise):
    """Fast noise: one stream for all samples."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count, self.stream = count, torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(self.count, *shape, generator=self.stream, dtype=torch.float64)


class Ring:
    """Eight modes on a circle, and the best possible estimates of x_0 and eps."""

    def __init__(self) -> None:
        angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
        self.means = torch.stack((angle.cos(), angle.sin()), 1)

    def __call__(self, x: Tensor, level: Level) -> Estimate:
        between = x.double()[:, None] - level.alpha * self.means  # (N, 8, 2)
        variance = level.alpha**2 * STD**2 + level.sigma**2
        share = (-between.square().sum(2) / (2 * variance)).softmax(1)
        eps = level.sigma / variance * (share[:, :, None] * between).sum(1)
        return Estimate((x - level.sigma * eps) / level.alpha, eps)

    def draw(self, count: int) -> Tensor:
        random = torch.Generator().manual_seed(1)
        mode = torch.randint(8, (count,), generator=random)
        noise = torch.randn(count, 2, generator=random, dtype=torch.float64)
        return self.means[mode] + STD * noise

    def scores(self, x: Tensor) -> tuple[float, float]:
        """Returns the share of samples within three deviations of a mode, and their deviation."""
        distance, mode = torch.cdist(x, self.means).min(1)
        near = distance < 3 * STD
        return near.double().mean().item(), (x - self.means[mode])[near].std().item()


def schedule_of(name: str, **options: object) -> NoiseSchedule:
    return noise_schedules.build({"name": name, **options}, where="schedule")


def sampler_of(name: str, **options: object) -> Sampler:
    return samplers.build({"name": name, **options}, where="sampler")


def drawn(sampler: Sampler, schedule: NoiseSchedule, count: int) -> Tensor:
    """Returns samples by the exact scores, from the same start for each sampler."""
    noise = OneStream(count)
    start = schedule.prior_std * noise.normal(2)
    return sampler.sample(Ring(), schedule, start, noise)
