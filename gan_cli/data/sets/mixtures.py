"""Gaussian mixtures: data whose modes are known, to see which of them a generator finds."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import datasets
from gan_cli.data.ground_truth import Density, Modes
from gan_cli.data.sets.endless import Drawn

NEAR = 3  # standard deviations within which a sample is of high quality: VEEGAN, PacGAN
BATCH = 8192  # samples whose distances to all modes are computed at a time
KNOWN = frozenset({"real", "label", "modes"})


class Mixture:
    """sum_k weights_k N(means_k, stds_k^2 I) with means (K, D); std and weights (K,) or one."""

    def __init__(self, means: Tensor, std: Tensor | float, weights: Tensor | float = 1.0) -> None:
        ones = torch.ones(len(means), dtype=torch.float64)
        self.means, self.stds, mass = means.double(), std * ones, weights * ones
        self.proportions = mass / mass.sum()

    def draw(self, count: int, random: np.random.Generator) -> dict[str, Tensor]:
        """Independent samples, labelled with the mode that they come from."""
        label = torch.from_numpy(random.choice(len(self.stds), count, p=self.proportions.numpy()))
        noise = torch.from_numpy(random.standard_normal((count, self.means.shape[1])))
        real = self.means[label] + self.stds[label, None] * noise  # (count, D)
        return {"real": real.float(), "label": label}

    def assign(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """The mode fewest standard deviations (Mahalanobis) away; are they fewer than 3?"""
        means, stds = self.means.to(samples.device), self.stds.to(samples.device)
        found = [  # differences first: a product of matrices would round stds of 0.01 away
            ((part[:, None].double() - means).norm(dim=2) / stds).min(1)  # of (BATCH, K)
            for part in samples.split(BATCH)
        ]
        nearest = torch.cat([batch.indices for batch in found])
        return nearest, torch.cat([batch.values for batch in found]) < NEAR

    def log_density(self, x: Tensor) -> Tensor:
        """Of samples (N, D), (N,) float64."""
        z = (x[:, None].double() - self.means) / self.stds[:, None]  # (N, K, D)
        volume = self.stds.log() + math.log(2 * math.pi) / 2  # (K,)
        each = self.proportions.log() - z.square().sum(2) / 2 - x.shape[1] * volume
        return each.logsumexp(1)

    def modes(self) -> "Modes":
        from gan_cli.data.ground_truth import Modes

        return Modes(self.proportions, self.assign)


def check(seed: int, **positive: float | None) -> None:
    """ConfigError lists what cannot be drawn from; None is right where it may be given at all."""
    given = {key: x for key, x in positive.items() if x is not None}
    faults = [f"{key}: must be above 0, got {x}" for key, x in given.items() if not x > 0]
    if seed < 0:
        faults.append(f"seed: must be 0 or more, got {seed}")
    if faults:
        raise ConfigError(*faults)


@datasets.register("ring")
class Ring(Drawn):
    """Equal Gaussians on a circle, of which simple GANs find a few.

    As in VEEGAN (Srivastava et al. 2017, arXiv:1705.07761) and PacGAN (arXiv:1712.04086).
    """

    def __init__(
        self,
        *,
        modes: int = 8,
        radius: float = 1.0,
        std: float = 0.01,
        count: int | None = 100_000,
        seed: int = 0,
    ) -> None:
        check(seed, modes=modes, radius=radius, std=std, count=count)
        angle = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
        self.mixture = Mixture(radius * torch.stack([angle.cos(), angle.sin()], 1), std)
        super().__init__(self.mixture.draw, count, seed, modes)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return KNOWN

    def modes(self) -> "Modes":
        return self.mixture.modes()


@datasets.register("grid")
class Grid(Drawn):
    """Equal Gaussians on a square grid around zero; VEEGAN and PacGAN, as for the ring."""

    def __init__(
        self,
        *,
        modes: int = 25,
        spacing: float = 2.0,
        std: float = 0.05,
        count: int | None = 100_000,
        seed: int = 0,
    ) -> None:
        check(seed, modes=modes, spacing=spacing, std=std, count=count)
        side = math.isqrt(modes)
        if side**2 != modes:
            raise ConfigError(f"modes: {modes} make no square; type {side**2} or {(side + 1) ** 2}")
        steps = spacing * (torch.arange(side) - (side - 1) / 2)
        self.mixture = Mixture(torch.cartesian_prod(steps, steps), std)
        super().__init__(self.mixture.draw, count, seed, modes)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return KNOWN

    def modes(self) -> "Modes":
        return self.mixture.modes()


@datasets.register("mixture1d")
class Mixture1d(Drawn):
    """Any Gaussians on a line: one number of each list a mode; weights relative to their sum."""

    def __init__(
        self,
        *,
        means: tuple[float, ...] = (-3.0, 0.0, 3.0),
        stds: tuple[float, ...] = (0.3, 0.3, 0.3),
        weights: tuple[float, ...] = (0.2, 0.5, 0.3),
        count: int | None = 100_000,
        seed: int = 0,
    ) -> None:
        if not len(means) == len(stds) == len(weights) > 0:
            raise ConfigError(
                f"means: {len(means)}, but stds {len(stds)} and weights {len(weights)}; "
                "give each mode one of each"
            )
        check(seed, stds=min(stds), weights=min(weights), count=count)
        self.mixture = Mixture(
            torch.tensor(means)[:, None], torch.tensor(stds), torch.tensor(weights)
        )
        super().__init__(self.mixture.draw, count, seed, len(means))

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return KNOWN | {"density"}

    def modes(self) -> "Modes":
        return self.mixture.modes()

    def density(self) -> Density:
        reach = 12 * self.mixture.stds[:, None]  # beyond 12 deviations lies 4e-33 of a Gaussian
        low, high = (self.mixture.means - reach).min(), (self.mixture.means + reach).max()
        return Density(lambda x: self.mixture.log_density(x[:, None]), low.item(), high.item())
