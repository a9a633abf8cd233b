"""Memorisation: tests whether generated samples are closer to the data than new data would be."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.ranges import ProperShare
from gan_cli.config.registry import ConfigError
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.metrics.prdc import nearest, squared_distances


@metrics.register("memorisation")
class Memorisation:
    """Distances of fakes to their nearest real sample, against those between real samples.

    `memorised` is the share of fakes whose distance is at most the `quantile` of the distances of
    real samples to their nearest neighbour. New data would score `quantile` (0.01; or 2 / N for N
    real samples if that is larger), copies 1.
    `memorised_auc` is the probability that a fake is closer to the data than a real sample is to
    the other ones: 0.5 for new data, 1 for copies, below 0.5 for fakes unlike the data. It is the
    Mann-Whitney statistic of Meehan et al. 2020 (arXiv:2004.05675) for a single cell, with z-score
    (0.5 - auc) sqrt(12 N M / (N + M + 1)). Leave-one-out distances replace their held-out set: a
    fake has N real samples to be close to, a real sample N - 1, which changes it by at most 1 / N.

    Duplicates within the data are not counted as neighbours, since they would make the quantile
    zero. Only copies of the given real samples are detected, so these should include all training
    data. Fakes from the densest part of the data, such as truncated ones, are closer as well.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True
    minimum = 2

    def __init__(self, *, quantile: ProperShare = 0.01) -> None:
        self.quantile = quantile

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.features is not None
        assert fake.features is not None
        real_distances = distance_to_others(real.features)  # (N,)
        fake_distances, _ = nearest(fake.features, real.features)  # (M,)
        # "weibull" is the (N + 1) q-th smallest: a new sample exceeds it with probability 1 - q.
        threshold = float(np.quantile(real_distances.numpy(), self.quantile, method="weibull"))
        return {
            "memorised": (fake_distances <= threshold).double().mean().item(),
            "memorised_auc": probability_of_less(fake_distances, real_distances),
        }


def distance_to_others(x: Tensor) -> Tensor:
    """Distance of each row of x (N, D) to the nearest row that differs from it, (N,)."""
    least = [
        squared.masked_fill(squared == 0, torch.inf).amin(1)
        for _, squared in squared_distances(x, x)
    ]
    distances = torch.cat(least).sqrt()
    if distances.isinf().any():
        raise ConfigError(
            f"metrics.compute.memorisation: all {len(x)} real samples are equal; "
            "remove it from metrics.compute, or raise metrics.real_count"
        )
    return distances


def probability_of_less(a: Tensor, b: Tensor) -> float:
    """P(a < b) + P(a = b) / 2 over all pairs of a (M,) and b (N,): Mann-Whitney's U / (M N)."""
    b = b.sort().values
    less = len(b) - torch.searchsorted(b, a, right=True)  # (M,)
    less_or_equal = len(b) - torch.searchsorted(b, a)  # (M,)
    return (less + less_or_equal).double().mean().item() / (2 * len(b))
