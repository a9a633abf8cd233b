"""Precision, recall, density and coverage, from nearest neighbours among features."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.config.ranges import Count
from gan_cli.config.registry import ConfigError
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.utils.errors import NonFiniteError

CELLS = 2**22  # distances in memory at a time: 32 MB in float64
RESOLUTION = 1e-14  # of squared norms: 1e-7 of a norm, about the resolution of float32 features


def squared_distances(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances from rows of a (N, D) to all of b (M, D), in parts of n rows.

    Yields slices of the rows of a, and distances (n, M) float32.

    |a|^2 + |b|^2 - 2 a.b is fast, but in float32 (as in torch.cdist) it separates copies by 1e-3 of
    their norm. Here it is computed in float64 around the mean, and rounding errors between copies
    are set to zero. Conversion to float32 turns distances that differ by rounding into ties.
    """
    b = b.to("cpu", torch.float64, copy=True)
    center = b.mean(0)
    b -= center
    own = b.square().sum(1)  # (M,)
    step = max(1, CELLS // len(b))
    for start in range(0, len(a), step):
        rows = slice(start, min(start + step, len(a)))
        part = a[rows].cpu().double() - center  # (n, D)
        norms = part.square().sum(1, keepdim=True) + own  # (n, M)
        squared = torch.addmm(norms, part, b.T, alpha=-2)
        distances = squared.masked_fill_(squared <= norms.mul_(RESOLUTION), 0).float()
        if not distances.isfinite().all():
            raise NonFiniteError("metrics: distances between features are not finite")
        yield rows, distances


def nearest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each row of a (N, D) to its nearest row of b (M, D), and its index, both (N,)."""
    found = [squared.min(1) for _, squared in squared_distances(a, b)]
    return (
        torch.cat([least.values for least in found]).sqrt(),
        torch.cat([least.indices for least in found]),
    )


def squared_radii(x: Tensor, k: int) -> Tensor:
    """Squared distance of each row of x (N, D) to its nearest 1, ..., k other rows, (N, k)."""
    near = [
        squared.topk(k + 1, largest=False).values  # the first is the row itself, at distance 0
        for _, squared in squared_distances(x, x)
    ]
    return torch.cat(near)[:, 1:]


@metrics.register("prdc")
class PrecisionRecall:
    """Precision, recall, density and coverage: fidelity and diversity measured separately.

    All four use balls around samples whose radius is the distance to the k-th nearest neighbour.
    Improved precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991, equation 1) are the
    share of fakes in a ball around a real sample, and of real samples in a ball around a fake.
    Density and coverage (Naeem et al. 2020, arXiv:2002.09797, section 3) are the mean number of
    real balls that contain a fake, divided by k, and the share of real balls that contain one.

    Coverage comes first: it falls if modes are missing or fakes are poor, and is robust to
    outliers. For N real and M new samples it is 1 - (N / (N + M))^k, which is 0.969 for N = M and
    k = 5. Precision and density (1 for new data, more for fakes in dense regions) are high for a
    collapsed generator too, and recall for noise, whose sparse samples have large balls.

    All but density depend on the counts; compare values at equal counts only.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    lower_is_better: ClassVar[bool] = False
    featured: ClassVar[bool] = True

    def __init__(self, *, k_precision_recall: Count = 3, k_density_coverage: Count = 5) -> None:
        self.manifold_k, self.density_k = k_precision_recall, k_density_coverage
        for key, k in (
            ("k_precision_recall", k_precision_recall),
            ("k_density_coverage", k_density_coverage),
        ):
            if k < 1:
                raise ConfigError(f"{key}: needs 1 or more neighbours, got {k}")

    @property
    def minimum(self) -> int:
        return max(self.manifold_k, self.density_k) + 1

    def options_for(self, count: int) -> dict[str, int]:
        """Returns options that `count` samples are enough for."""
        neighbours = {
            "k_precision_recall": self.manifold_k,
            "k_density_coverage": self.density_k,
        }
        return {key: count - 1 for key, k in neighbours.items() if 0 < count - 1 < k}

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.features is not None
        assert fake.features is not None
        radii = squared_radii(real.features, self.minimum - 1)  # (N, k)
        manifold_radius = radii[:, self.manifold_k - 1, None]  # (N, 1)
        density_radius = radii[:, self.density_k - 1, None]  # (N, 1)
        fake_radius = squared_radii(fake.features, self.manifold_k)[:, -1]  # (M,)

        precise = torch.zeros(len(fake.features), dtype=torch.bool)
        recalled = covered = inside = 0
        for rows, squared in squared_distances(real.features, fake.features):  # (n, M)
            # Balls are closed in equation 1, but open in the authors' code of density and coverage.
            precise |= (squared <= manifold_radius[rows]).any(0)
            recalled += int((squared <= fake_radius).any(1).sum())
            within = squared < density_radius[rows]
            covered += int(within.any(1).sum())
            inside += int(within.sum())
        n, m = len(real.features), len(fake.features)
        return {
            "coverage": covered / n,
            "density": inside / (self.density_k * m),
            "precision": precise.double().mean().item(),
            "recall": recalled / n,
        }
