"""Frechet distance between Gaussians fitted to two samples, and the moments it is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.utils.errors import ConfigError


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of `count` vectors, in float64.

    The sum of two instances holds the moments of both samples together. Up to D deviations are kept
    as rows, more as the sum of their outer products: memory is bounded for any count, and the
    distance between small samples is cheap.
    """

    count: int | None  # None: loaded from a file without it
    mean: Tensor  # (D,)
    spread: Tensor  # the sum of outer products of deviations (D, D), or K < D rows that sum to it

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """The moments of features (N, D); on the CPU, since not every accelerator has float64."""
        features = features.cpu().double()
        mean = features.mean(0)
        return cls(len(features), mean, compact(features - mean))

    def __add__(self, other: "Moments") -> "Moments":
        """Merges moments as in Chan, Golub & LeVeque 1983 (doi:10.1080/00031305.1983.10483115)."""
        assert self.count is not None, "moments of unknown count cannot be merged"
        assert other.count is not None, "moments of unknown count cannot be merged"
        count = self.count + other.count
        shift = other.mean - self.mean
        mean = self.mean + shift * (other.count / count)
        between = shift[None] * (self.count * other.count / count) ** 0.5  # (1, D)
        if self.thin and other.thin:
            return Moments(count, mean, compact(torch.cat([self.spread, other.spread, between])))
        return Moments(count, mean, self.scatter + other.scatter + between.T @ between)

    @property
    def thin(self) -> bool:
        """Whether `spread` holds rows rather than the (D, D) matrix."""
        return len(self.spread) < len(self.mean)

    @property
    def scatter(self) -> Tensor:
        """The sum of outer products of deviations, (D, D)."""
        return self.spread.T @ self.spread if self.thin else self.spread

    @property
    def degrees_of_freedom(self) -> int:
        """The divisor of the covariance: n - 1, as in every published implementation of FID."""
        assert self.count is None or self.count > 1, "one vector has no covariance"
        return 1 if self.count is None else self.count - 1

    @property
    def covariance(self) -> Tensor:
        """Unbiased covariance (D, D)."""
        return self.scatter / self.degrees_of_freedom

    @property
    def variance(self) -> Tensor:
        """Trace of the covariance."""
        total = self.spread.square().sum() if self.thin else self.spread.trace()
        return total / self.degrees_of_freedom

    @cached_property
    def root(self) -> Tensor:
        """A matrix (K, D) with root^T root = covariance; K = D unless thin."""
        if self.thin:
            return self.spread / self.degrees_of_freedom**0.5
        lower, failed = torch.linalg.cholesky_ex(self.covariance)  # 20 times as fast as eigh
        if not failed:
            return lower.T
        variances, axes = torch.linalg.eigh(self.covariance)  # singular: rounding leaves some < 0
        return variances.clamp(min=0).sqrt()[:, None] * axes.T

    def times(self, vectors: Tensor) -> Tensor:
        """covariance @ vectors, (D, M); does not form the covariance of thin moments."""
        product = self.spread @ vectors
        return (self.spread.T @ product if self.thin else product) / self.degrees_of_freedom

    def state_dict(self) -> dict[str, np.ndarray]:
        """The arrays of pytorch-fid's npz files, and the count `n` if it is known."""
        state = {"mu": self.mean.numpy(), "sigma": self.covariance.numpy()}
        return state if self.count is None else state | {"n": np.array(self.count)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Moments":
        """Moments from state_dict() or an open npz file; without an "n" the count is unknown."""
        for key in ("mu", "sigma"):
            if key not in state:
                raise ConfigError(f"statistics need the arrays mu and sigma; there is no {key}")
        mean, covariance = (torch.as_tensor(state[key]).double() for key in ("mu", "sigma"))
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
            raise ConfigError(
                "statistics need mu (D,) and sigma (D, D); these are "
                f"{tuple(mean.shape)} and {tuple(covariance.shape)}"
            )
        if not (mean.isfinite().all() and covariance.isfinite().all()):
            raise ConfigError("statistics: mu or sigma is not finite")
        if "n" not in state:
            return cls(None, mean, covariance)
        count = int(state["n"])
        if count < 2:
            raise ConfigError(f"statistics: n is {count}; a covariance needs 2 or more")
        return cls(count, mean, covariance * (count - 1))


def compact(rows: Tensor) -> Tensor:
    """Rows (N, D) unchanged if N < D, else the sum of their outer products (D, D)."""
    return rows if len(rows) < rows.shape[1] else rows.T @ rows


def frechet_distance(a: Moments, b: Moments) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)): Heusel et al. 2017, equation 6.

    With S1 = R^T R, the nonzero eigenvalues of S1 S2 are those of R S2 R^T, which is symmetric,
    positive semidefinite and only as large as the smaller sample. It needs no complex numbers, and
    no jitter if S is singular. For two small samples, the trace of the root is the nuclear norm of
    the product of their deviations.
    """
    small, large = sorted((a, b), key=lambda moments: len(moments.spread))
    eigenvalues = torch.linalg.eigvalsh(small.root @ large.times(small.root.T))
    overlap = eigenvalues.clamp(min=0).sqrt().sum()
    distance = (a.mean - b.mean).square().sum() + a.variance + b.variance - 2 * overlap
    return max(0.0, distance.item())  # rounding may turn 0 into -1e-8


def frechet_infinity(real: Moments, fake: Tensor, sizes: int = 15, seed: int = 0) -> float:
    """FID-infinity: extrapolates the Frechet distance to infinitely many fakes, given N, (N, D).

    Chong & Forsyth 2020 (arXiv:1911.07023). The bias is linear in 1/N to first order: distances of
    `sizes` random subsets of the fakes are regressed on 1/N, and the intercept is returned. It can
    be negative. The smallest subset has N/2 fakes: with N/10, as in the paper (5,000 of 50,000),
    second-order terms leave 5 to 10 times the bias for Gaussians with N = 8 D.
    """
    rng = torch.Generator().manual_seed(seed)
    counts = torch.linspace(len(fake) / 2, len(fake), sizes).round().long()
    subsets = (fake[torch.randperm(len(fake), generator=rng)[:n]] for n in counts.tolist())
    distances = [frechet_distance(real, Moments.of(subset)) for subset in subsets]
    design = torch.stack([torch.ones(sizes), 1 / counts], 1).double()  # (sizes, 2)
    solution = torch.linalg.lstsq(design, torch.tensor(distances, dtype=torch.float64)[:, None])
    return solution.solution[0].item()
