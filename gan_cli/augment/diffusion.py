"""Noise of a diffusion process as augmentation: Wang et al. 2023 (arXiv:2206.02262)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from gan_cli.augment.augment import augments
from gan_cli.augment.draws import in_full_precision, uniform
from gan_cli.augment.strength import Strength
from gan_cli.config.ranges import Count, NonNegative, Share
from gan_cli.utils.errors import ConfigError

FIRST, LAST = 1e-4, 2e-2  # variances of the noise of the first and the last step


@augments.register("diffusion")
@dataclass(kw_only=True)
class Diffusion(Strength):
    """Adds the noise of t steps of a diffusion, with t drawn for each sample: Diffusion-GAN.

    x_t is sqrt(a) x + sqrt(1 - a) noise_std N(0, 1), where a is the product of 1 - beta over t
    steps, and beta rises linearly from 1e-4 to 0.02 over T steps. The longest diffusion, T, is
    `shortest` at p = 0 and `longest` at p = 1, and p is as in ADA. The critic is not told t, which
    is the variant of the authors for networks that take samples alone.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"image", "vector", "audio"})
    shortest: Count = 10  # T at p = 0
    longest: Count = 1000  # T at p = 1
    noise_std: NonNegative = 0.05  # of the noise; data are in [-1, 1]
    clean: Share = 0.5  # of the samples are left as they are
    times: Literal["priority", "uniform"] = "priority"  # of t from 1 to T: as likely as t, or all

    def check(self) -> None:
        super().check()
        if self.shortest > self.longest:
            raise ConfigError(
                f"shortest: {self.shortest} is above longest={self.longest}; lower it"
            )

    @in_full_precision
    def __call__(self, samples: Tensor) -> Tensor:
        kept = self.kept(self.times_of(samples))  # (N,)
        kept = torch.where(uniform(samples) < self.clean, 1.0, kept)
        kept = kept.view(-1, *(1,) * (samples.ndim - 1))
        noise = self.noise_std * torch.randn_like(samples)
        return kept.sqrt() * samples + (1 - kept).sqrt() * noise

    @in_full_precision
    def together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        return self(sample), *given

    def observed(self) -> dict[str, Tensor]:
        return {"augment_steps": self.steps(self.probability.device)}

    def steps(self, device: torch.device) -> Tensor:
        """Returns T, a float of 0-d on the device."""
        return (self.shortest + self.on(device) * (self.longest - self.shortest)).round()

    def times_of(self, samples: Tensor) -> Tensor:
        """Draws t from 1 to T for each sample, (N,) int64."""
        steps, u = self.steps(samples.device), uniform(samples)
        if self.times == "uniform":
            t = (u * steps).floor() + 1
        else:  # the inverse of the distribution function t (t + 1) / (T (T + 1))
            t = (((1 + 4 * u * steps * (steps + 1)).sqrt() - 1) / 2).ceil()
        return t.clamp(min=torch.ones_like(steps), max=steps).long()

    def kept(self, times: Tensor) -> Tensor:
        """Returns the share of the variance of data (N,) that is left after t steps."""
        place = torch.arange(self.longest, device=times.device)
        gap = (self.steps(times.device) - 1).clamp(min=1)
        beta = (FIRST + (LAST - FIRST) * place / gap).clamp(max=LAST)  # (longest,)
        return (-beta).log1p().cumsum(0)[times - 1].exp()
