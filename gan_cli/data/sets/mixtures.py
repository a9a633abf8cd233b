"""Gaussian mixtures, whose known modes show how many of them a generator covers."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.ranges import Count, Finite, Positive, Samples, Seed
from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import datasets
from gan_cli.data.ground_truth import Density, Modes
from gan_cli.data.sets.endless import SampledDataset

NEAR = 3  # largest distance of high-quality samples in standard deviations: VEEGAN, PacGAN
BATCH = 8192  # samples for which distances to all modes are computed at a time
PROVIDED = frozenset({"real", "label", "modes"})


class Mixture:
    """sum_k weights_k N(means_k, stds_k^2 I) with means (K, D), std and weights (K,) or scalar."""

    def __init__(self, means: Tensor, std: Tensor | float, weights: Tensor | float = 1.0) -> None:
        ones = torch.ones(len(means), dtype=torch.float64)
        self.means, self.stds, mass = means.double(), std * ones, weights * ones
        self.proportions = mass / mass.sum()

    def draw(self, count: int, random: np.random.Generator) -> dict[str, Tensor]:
        """Draws independent samples, labelled with the modes that they are drawn from."""
        label = torch.from_numpy(random.choice(len(self.stds), count, p=self.proportions.numpy()))
        noise = torch.from_numpy(random.standard_normal((count, self.means.shape[1])))
        real = self.means[label] + self.stds[label, None] * noise  # (count, D)
        return {"real": real.float(), "label": label}

    def assign(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the nearest mode by Mahalanobis distance, and whether that is below NEAR.

        Both are on the CPU, in whose float64 distances are computed.
        """
        found = [  # of differences: a matrix product would lose the precision of stds like 0.01
            ((part[:, None].double() - self.means).norm(dim=2) / self.stds).min(1)  # of (BATCH, K)
            for part in samples.cpu().split(BATCH)
        ]
        nearest = torch.cat([batch.indices for batch in found])
        return nearest, torch.cat([batch.values for batch in found]) < NEAR

    def log_density(self, x: Tensor) -> Tensor:
        """Returns the log density (N,) float64 of samples (N, D)."""
        z = (x[:, None].double() - self.means) / self.stds[:, None]  # (N, K, D)
        volume = self.stds.log() + math.log(2 * math.pi) / 2  # (K,)
        each = self.proportions.log() - z.square().sum(2) / 2 - x.shape[1] * volume
        return each.logsumexp(1)

    def modes(self) -> "Modes":
        from gan_cli.data.ground_truth import Modes

        return Modes(self.proportions, self.assign)


@datasets.register("ring")
class Ring(SampledDataset):
    """Equal Gaussians on a circle, of which simple GANs cover only a few.

    Used by VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (arXiv:1712.04086).
    """

    def __init__(
        self,
        *,
        modes: Count = 8,
        radius: Positive = 1.0,
        std: Positive = 0.01,
        count: Samples | None = 100_000,
        seed: Seed = 0,
    ) -> None:
        angle = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
        self.mixture = Mixture(radius * torch.stack([angle.cos(), angle.sin()], 1), std)
        super().__init__(self.mixture.draw, count, seed, modes)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return PROVIDED

    def modes(self) -> "Modes":
        return self.mixture.modes()


@datasets.register("grid")
class Grid(SampledDataset):
    """Equal Gaussians on a square grid around zero, as used by VEEGAN and PacGAN."""

    def __init__(
        self,
        *,
        modes: Count = 25,
        spacing: Positive = 2.0,
        std: Positive = 0.05,
        count: Samples | None = 100_000,
        seed: Seed = 0,
    ) -> None:
        side = math.isqrt(modes)
        if side**2 != modes:
            raise ConfigError(f"modes: {modes} make no square; type {side**2} or {(side + 1) ** 2}")
        steps = spacing * (torch.arange(side) - (side - 1) / 2)
        self.mixture = Mixture(torch.cartesian_prod(steps, steps), std)
        super().__init__(self.mixture.draw, count, seed, modes)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return PROVIDED

    def modes(self) -> "Modes":
        return self.mixture.modes()


@datasets.register("mixture1d")
class Mixture1d(SampledDataset):
    """A mixture of Gaussians on a line, with one entry of each list per mode.

    Weights are relative to their sum.
    """

    def __init__(
        self,
        *,
        means: tuple[Finite, ...] = (-3.0, 0.0, 3.0),
        stds: tuple[Positive, ...] = (0.3, 0.3, 0.3),
        weights: tuple[Positive, ...] = (0.2, 0.5, 0.3),
        count: Samples | None = 100_000,
        seed: Seed = 0,
    ) -> None:
        if not len(means) == len(stds) == len(weights) > 0:
            raise ConfigError(
                f"means: {len(means)}, but stds {len(stds)} and weights {len(weights)}; "
                "give each mode one of each"
            )
        self.mixture = Mixture(
            torch.tensor(means)[:, None], torch.tensor(stds), torch.tensor(weights)
        )
        super().__init__(self.mixture.draw, count, seed, len(means))

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return PROVIDED | {"density"}

    def modes(self) -> "Modes":
        return self.mixture.modes()

    def density(self) -> Density:
        reach = 12 * self.mixture.stds[:, None]  # the probability beyond is 4e-33
        low, high = (self.mixture.means - reach).min(), (self.mixture.means + reach).max()
        return Density(lambda x: self.mixture.log_density(x[:, None]), low.item(), high.item())
