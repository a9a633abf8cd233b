"""Wasserstein distances between two samples by exact optimal transport.

The least cost of moving one distribution onto another (Kantorovich 1942; Peyre & Cuturi 2019,
arXiv:1803.00567, equation 2.11), over all plans that move mass P_ij from point i to point j. W1 is
what the critic of a WGAN estimates.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import Count
from gan_cli.metrics.metric import Collected, Need, metrics

Order = Literal[1, 2]


def assignment(cost: Tensor) -> Tensor:
    """The plan (N, N) float64 of least total `cost` (N, N), for N points of mass 1 / N a side.

    Among the optimal plans is a permutation (Peyre & Cuturi 2019, proposition 2.1). O(N^3): on one
    core 0.3 s at N = 1000 and 1.7 s at 2000.
    """
    from scipy.optimize import linear_sum_assignment

    assert cost.shape[0] == cost.shape[1], "as many points on either side"
    rows, columns = linear_sum_assignment(cost.double().numpy())
    plan = torch.zeros(cost.shape, dtype=torch.float64)
    plan[torch.from_numpy(rows), torch.from_numpy(columns)] = 1 / len(rows)
    return plan


def wasserstein(x: Tensor, y: Tensor, p: Order = 1) -> tuple[float, Tensor]:
    """W_p = (min_P <P, |x_i - y_j|^p>)^(1/p) in Euclidean distance, and the optimal plan P (N, N).

    x (N, D) and y (N, D): as many points on either side. Peyre & Cuturi 2019, section 2.4.
    """
    cost = distances(x, y) ** p
    plan = assignment(cost)
    return (plan * cost).sum().item() ** (1 / p), plan


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances (N, M) float64 between x (N, D) and y (M, D)."""
    # Not by |x|^2 + |y|^2 - 2xy, which would leave 1e-8 |x| between a point and itself.
    return torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")


@metrics.register("transport")
class Transport:
    """W1 and W2 between `count` real and `count` generated samples, the same ones every time.

    It is zero for identical samples only: between two samples of one distribution W_p falls as
    slowly as count^(-1/D) (Fournier & Guillin 2015, arXiv:1312.2128). Between two sets of 1000
    standard normal vectors, W1 is 0.17 in 2 dimensions, 2.0 in 10 and 14 in 128, where a shift by 1
    adds only 0.03. Compare values at equal counts, and with the value of real data against real
    data. Costs O(count^3), see `assignment`.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True

    def __init__(self, *, count: Count = 1000) -> None:
        self.count = self.minimum = count

    def options_for(self, count: int) -> dict[str, int]:
        """Returns options that `count` samples are enough for."""
        return {"count": count} if count else {}

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        a, b = picked(real, self.count), picked(fake, self.count)
        return {"w1": wasserstein(a, b, 1)[0], "w2": wasserstein(a, b, 2)[0]}


def picked(side: Collected, count: int) -> Tensor:
    """`count` feature vectors of `side`, at the same random positions for every side."""
    assert side.features is not None
    order = torch.randperm(len(side.features), generator=torch.Generator().manual_seed(0))
    return side.features[order[:count]]
