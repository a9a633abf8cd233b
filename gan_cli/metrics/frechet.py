"""The Frechet distance between Gaussians fitted to two samples, from their streamed moments."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Of `count` vectors, in float64; the sum of two is the moments of both samples together."""

    count: int
    mean: Tensor  # (D,)
    scatter: Tensor  # (D, D): sum of the outer products of deviations from the mean

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """(N, D); computed on the CPU, since not every accelerator has float64."""
        features = features.cpu().double()
        mean = features.mean(0)
        return cls(len(features), mean, (features - mean).T @ (features - mean))

    def __add__(self, other: "Moments") -> "Moments":
        """Chan, Golub & LeVeque 1983 (doi:10.1080/00031305.1983.10483115), for vectors."""
        count = self.count + other.count
        shift = other.mean - self.mean
        mean = self.mean + shift * (other.count / count)
        between = torch.outer(shift, shift) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Tensor:
        """Unbiased (n - 1), as in every published implementation of FID."""
        return self.scatter / (self.count - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """Squared: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Heusel et al. 2017, equation 6).

    The root's trace is the sum of square roots of the eigenvalues of S1^(1/2) S2 S1^(1/2), which is
    symmetric and positive semidefinite: no complex numbers, and no jitter when S is singular.
    """
    variances, axes = torch.linalg.eigh(a.covariance)
    root = axes * variances.clamp(min=0).sqrt() @ axes.T  # (D, D), S1^(1/2)
    overlap = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp(min=0).sqrt().sum()
    spread = a.covariance.trace() + b.covariance.trace() - 2 * overlap
    distance = (a.mean - b.mean).square().sum() + spread
    return max(0.0, distance.item())  # rounding may leave -1e-8 where it is zero
