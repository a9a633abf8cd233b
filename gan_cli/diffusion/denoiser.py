"""A network as a function from noisy samples to estimates of the data and the noise."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.diffusion.predictions import Prediction
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule

Network = Callable[[Tensor, Tensor], Tensor]  # x_t and labels of the times (N,) to an output


@dataclass(frozen=True)
class Estimate:
    """What is known of x_t = alpha x_0 + sigma eps."""

    x0: Tensor
    eps: Tensor
    spread: Tensor | None = None  # of a learned variance: 0 the smallest one, 1 the largest


Denoise = Callable[[Tensor, Level], Estimate]


@dataclass(frozen=True)
class Denoiser:
    """Estimates from a network; the estimated data are clipped to [-1, 1] if `clip`."""

    network: Network
    schedule: NoiseSchedule
    prediction: Prediction
    clip: bool = False
    predicts_variance: bool = False  # has the output twice the channels?

    def __call__(self, x: Tensor, level: Level) -> Estimate:
        """Returns the estimate for samples (N, *shape) that are all at one level."""
        alpha, sigma = level.alpha, level.sigma
        output = self.network(self.prediction.input_scale(alpha, sigma) * x, self.label(x, level))
        output, spread = split(output.float(), self.predicts_variance)
        x0 = self.prediction.x0(output, x, alpha, sigma)
        x0 = x0.clamp(-1, 1) if self.clip else x0
        return Estimate(x0, (x - alpha * x0) / sigma, spread)

    def label(self, x: Tensor, level: Level) -> Tensor:
        """Returns what the network is told of the level, (N,) float32."""
        label = self.schedule.label(torch.tensor(level.time, dtype=torch.float64)).item()
        return torch.full((len(x),), label, device=x.device)


def split(output: Tensor, predicts_variance: bool) -> tuple[Tensor, Tensor | None]:
    """Returns the prediction, and the spread of a learned variance if there is one."""
    if not predicts_variance:
        return output, None
    output, spread = output.chunk(2, 1)
    return output, (spread + 1) / 2
