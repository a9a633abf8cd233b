"""Kolmogorov-Smirnov distance of each feature of real and generated samples."""

from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.metrics.metric import Collected, Need, metrics


@metrics.register("ks")
class KolmogorovSmirnov:
    """Mean and largest distance over the features, each between 0 (same law) and 1 (disjoint).

    It compares the law of each feature by itself, and does not see how they depend on each other.
    Of N real and M new samples of the same law the distance is about 0.87 sqrt(1 / N + 1 / M).
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True
    minimum = 2

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.features is not None
        assert fake.features is not None
        distances = ks_distances(real.features, fake.features)
        return {"ks": distances.mean().item(), "ks_worst": distances.max().item()}


def ks_distances(a: Tensor, b: Tensor) -> Tensor:
    """sup |F_a - F_b| of each column of a (N, D) and b (M, D), (D,) float64."""
    a, b = a.T.contiguous().sort(1).values, b.T.contiguous().sort(1).values
    every = torch.cat([a, b], 1).contiguous()  # the distance is reached at a sample
    shares = [torch.searchsorted(x, every, right=True).double() / x.shape[1] for x in (a, b)]
    return (shares[0] - shares[1]).abs().amax(1)


def ks_to_uniform(values: Tensor) -> Tensor:
    """sup |F(u) - u| of each column of values (N, D), whose law should be uniform on [0, 1]."""
    ordered = values.double().sort(0).values.clamp(0, 1)  # (N, D)
    count = len(ordered)
    place = torch.arange(count, dtype=torch.float64, device=values.device)[:, None] / count
    return torch.maximum(ordered - place, place + 1 / count - ordered).amax(0)
