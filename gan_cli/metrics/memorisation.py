"""Are generated samples nearer to the data than fresh data would be?"""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.metrics.prdc import nearest, squared_distances


@metrics.register("memorisation")
class Memorisation:
    """Distances fake to nearest real, against those of real samples to the nearest other one.

    `memorised`: the share of fakes that are nearer to a real sample than all but `quantile` of the
    real samples are to another. Fresh data would score `quantile` (0.01; 2 / N of N real samples
    where that is more), copies 1.
    `memorised_auc`: the chance that a fake is nearer to the data than a real sample is to the
    others: 0.5 for fresh data, 1 for copies, below 0.5 for fakes that are unlike the data. It is
    the Mann-Whitney statistic of Meehan et al. 2020 (arXiv:2004.05675) for the space as a whole,
    whose z-score is (0.5 - auc) sqrt(12 N M / (N + M + 1)), with samples left out one by one for
    their held-out set. A fake sees N real samples, these N - 1 others: worth 1 / N at most.

    Duplicates within the data are not each other's neighbours, or else they would set the bar at
    zero. Only what is among the real samples can be found out: have all training data among them.
    Fakes that keep to the densest part of the data, as truncated ones do, are also nearer.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True
    minimum = 2

    def __init__(self, *, quantile: float = 0.01) -> None:
        if not 0 < quantile < 1:
            raise ConfigError(f"quantile: expected a share between 0 and 1, got {quantile}")
        self.quantile = quantile

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.features is not None
        assert fake.features is not None
        fresh = distance_to_others(real.features)  # (N,)
        fakes, _ = nearest(fake.features, real.features)  # (M,)
        # "weibull" is the (N + 1) q-th smallest: exceeded by a fresh one with chance 1 - q.
        bar = float(np.quantile(fresh.numpy(), self.quantile, method="weibull"))
        return {
            "memorised": (fakes <= bar).double().mean().item(),
            "memorised_auc": chance_of_less(fakes, fresh),
        }


def distance_to_others(x: Tensor) -> Tensor:
    """Of each row of x (N, D) to the nearest row that is not the same, (N,)."""
    least = [
        squared.masked_fill(squared == 0, torch.inf).amin(1)
        for _, squared in squared_distances(x, x)
    ]
    distances = torch.cat(least).sqrt()
    if distances.isinf().any():
        raise ConfigError(
            f"metrics.compute.memorisation: all {len(x)} real samples are the same; "
            "take it out of metrics.compute, or raise metrics.real_count"
        )
    return distances


def chance_of_less(a: Tensor, b: Tensor) -> float:
    """P(a < b) + P(a = b) / 2 over all pairs of a (M,) and b (N,): Mann-Whitney's U / (M N)."""
    b = b.sort().values
    less = len(b) - torch.searchsorted(b, a, right=True)  # (M,)
    less_or_equal = len(b) - torch.searchsorted(b, a)  # (M,)
    return (less + less_or_equal).double().mean().item() / (2 * len(b))
