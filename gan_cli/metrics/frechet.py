"""Frechet distance between Gaussians fitted to two samples, and the moments it is computed from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.utils.errors import ConfigError, NonFiniteError

ROUNDING = 1e-5  # of published covariances, some of them float32, relative to their size


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
            if np.asarray(state[key]).dtype.kind not in "fiu":
                raise ConfigError(f"statistics: {key} must hold real numbers")
        mean, covariance = (torch.as_tensor(state[key]).double() for key in ("mu", "sigma"))
        check_statistics(mean, covariance)
        covariance = (covariance + covariance.T) / 2
        if "n" not in state:
            return cls(None, mean, covariance)
        count = np.asarray(state["n"])
        if count.size != 1 or count.dtype.kind not in "iu" or not 2 <= count.item() < 2**53:
            raise ConfigError(
                f"statistics: n is {count}; a covariance needs a whole number of samples, 2 or more"
            )
        return cls(count.item(), mean, covariance * (count.item() - 1))


def compact(rows: Tensor) -> Tensor:
    """Rows (N, D) unchanged if N < D, else the sum of their outer products (D, D)."""
    return rows if len(rows) < rows.shape[1] else rows.T @ rows


def check_statistics(mean: Tensor, covariance: Tensor) -> None:
    """ConfigError unless these are the mean (D,) and covariance (D, D) of some distribution."""
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise ConfigError(
            "statistics need mu (D,) and sigma (D, D); these are "
            f"{tuple(mean.shape)} and {tuple(covariance.shape)}"
        )
    if not len(mean):
        raise ConfigError("statistics: mu is empty")
    for key, array in (("mu", mean), ("sigma", covariance)):
        if not array.isfinite().all():
            row = int((~array.isfinite()).nonzero()[0, 0])
            raise ConfigError(f"statistics: {key} is not finite, first in row {row}")
    asymmetry = (covariance - covariance.T).abs().max().item()
    if asymmetry > ROUNDING * covariance.abs().max().item():
        raise ConfigError(
            f"statistics: sigma is not symmetric; it differs from its transpose by {asymmetry:.3g}"
        )
    tolerance = ROUNDING * covariance.diagonal().abs().sum()  # the sum of variances
    shifted = covariance + tolerance * torch.eye(len(mean), dtype=covariance.dtype)
    if torch.linalg.cholesky_ex(shifted).info:  # 20 times as fast as the eigenvalues
        least = torch.linalg.eigvalsh(covariance)[0].item()
        if least < -tolerance:
            raise ConfigError(
                f"statistics: sigma is no covariance; its least eigenvalue is {least:.3g}"
            )


def frechet_distance(real: Moments, fake: Moments) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)): Heusel et al. 2017, equation 6.

    With S1 = R^T R, the nonzero eigenvalues of S1 S2 are those of R S2 R^T, which is symmetric,
    positive semidefinite and only as large as the smaller sample. It needs no complex numbers, and
    no jitter if S is singular. For two small samples, the trace of the root is the nuclear norm of
    the product of their deviations.
    """
    if len(real.mean) != len(fake.mean):
        raise ConfigError(
            f"metrics.features: real features have {len(real.mean)} dimensions and generated ones "
            f"{len(fake.mean)}; compare features of one network"
        )
    for side, moments in (("real", real), ("generated", fake)):
        if not (moments.mean.isfinite().all() and moments.spread.isfinite().all()):
            raise NonFiniteError(f"metrics: the moments of the {side} features are not finite")
    small, large = sorted((real, fake), key=lambda moments: len(moments.spread))
    eigenvalues = torch.linalg.eigvalsh(small.root @ large.times(small.root.T))
    overlap = eigenvalues.clamp(min=0).sqrt().sum()
    shift = (real.mean - fake.mean).square().sum()
    distance = (shift + real.variance + fake.variance - 2 * overlap).item()
    if not math.isfinite(distance):
        raise NonFiniteError("metrics: the features are so large that their distance overflows")
    return max(0.0, distance)  # rounding may turn 0 into -1e-8


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
