"""Optimal transport between two samples: what WGAN's critic estimates, computed exactly.

The least cost of moving one distribution onto another (Kantorovich 1942; Peyre & Cuturi 2019,
arXiv:1803.00567, equation 2.11), over all plans that move mass P_ij from point i to point j.
"""

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.utils.errors import ConfigError

Order = Literal[1, 2]


def plan(cost: Tensor, a: Tensor | None = None, b: Tensor | None = None) -> Tensor:
    """The plan (N, M) float64 of least total `cost` (N, M); its rows sum to a, its columns to b.

    Weights None are equal; others are taken relative to their sum. Equal weights on equally many
    points are an assignment: O(N^3), on one core 0.3 s at N = 1000 and 1.7 s at 2000. All else is
    a linear programme with N * M variables: 0.2 s for 100 x 100 and 3 s for 300 x 300.
    """
    count_a, count_b = cost.shape
    if a is None and b is None and count_a == count_b:
        return assignment(cost)
    return linear_programme(cost, masses(a, count_a), masses(b, count_b))


def assignment(cost: Tensor) -> Tensor:
    """Among the plans of least cost is a permutation (Peyre & Cuturi 2019, proposition 2.1)."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost.double().numpy())
    flow = torch.zeros(cost.shape, dtype=torch.float64)
    flow[torch.from_numpy(rows), torch.from_numpy(columns)] = 1 / len(rows)
    return flow


def linear_programme(cost: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """min <P, C> subject to P >= 0, P 1 = a, P^T 1 = b (Peyre & Cuturi 2019, section 3.1)."""
    from scipy.optimize import linprog
    from scipy.sparse import identity, kron, vstack

    n, m = cost.shape
    rows = kron(identity(n), np.ones((1, m)))  # (n, n * m), sums over j
    columns = kron(np.ones((1, n)), identity(m))  # (m, n * m), sums over i
    # The last equation follows from the others, and rounding could make it contradict them. The
    # solver's tolerances are absolute, 1e-7: masses and costs are scaled to the order of one.
    equations = vstack([rows, columns], format="csr")[:-1]
    scale = max(n, m)
    sums = (torch.cat([a, b])[:-1] * scale).numpy()
    costs = (cost.double() / cost.abs().max().clamp(min=1e-300)).flatten().numpy()
    solved = linprog(costs, A_eq=equations, b_eq=sums, bounds=(0, None), method="highs")
    assert solved.status == 0, solved.message
    return torch.from_numpy(solved.x).clamp(min=0).view(n, m) / scale


def masses(weights: Tensor | None, count: int) -> Tensor:
    """(count,) float64 that sum to one."""
    if weights is None:
        return torch.full((count,), 1 / count, dtype=torch.float64)
    weights = weights.double()
    sound = weights.isfinite().all() and (weights >= 0).all() and weights.sum() > 0
    if weights.shape != (count,) or not sound:
        raise ValueError(f"weights of {count} points are {count} numbers >= 0, not all of them 0")
    return weights / weights.sum()


def wasserstein(
    x: Tensor, y: Tensor, p: Order = 1, a: Tensor | None = None, b: Tensor | None = None
) -> tuple[float, Tensor]:
    """W_p = (min_P <P, |x_i - y_j|^p>)^(1/p) in Euclidean distance, and the plan that attains it.

    x (N, D) with weights a, y (M, D) with weights b. Peyre & Cuturi 2019, section 2.4.
    """
    cost = distances(x, y) ** p
    flow = plan(cost, a, b)
    return (flow * cost).sum().item() ** (1 / p), flow


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean, (N, M) float64."""
    # Not through |x|^2 + |y|^2 - 2xy, which would leave 1e-8 |x| between a point and itself.
    return torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")


@metrics.register("transport")
class Transport:
    """W1 and W2 between `count` real and `count` generated samples, picked once and for all.

    Zero for the very same samples only: between two samples of one law W_p falls as slowly as
    count^(-1/D) (Fournier & Guillin 2015, arXiv:1312.2128). Of 1000 standard normal vectors a side
    W1 is 0.17 in 2 dimensions, 2.0 in 10 and 14 in 128, where a shift by 1 adds only 0.03. Compare
    at equal counts, and with what real data has against real. Costs O(count^3), see `plan`.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True

    def __init__(self, *, count: int = 1000) -> None:
        if count < 1:
            raise ConfigError(f"count: {count} samples cannot be transported; type 1 or more")
        self.count = self.minimum = count

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        a, b = picked(real, self.count), picked(fake, self.count)
        return {"w1": wasserstein(a, b, 1)[0], "w2": wasserstein(a, b, 2)[0]}


def picked(side: Collected, count: int) -> Tensor:
    """`count` of its feature vectors; the same of both sides, so that equal ones stay equal."""
    assert side.features is not None
    order = torch.randperm(len(side.features), generator=torch.Generator().manual_seed(0))
    return side.features[order[:count]]
