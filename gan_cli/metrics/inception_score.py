"""Inception Score, for the logits of any classifier."""

import math
from itertools import pairwise
from typing import ClassVar

import numpy as np
from torch import Tensor

from gan_cli.config.ranges import Count, Seed32
from gan_cli.metrics.metric import Collected, Need, metrics


@metrics.register("is")
class InceptionScore:
    """Mean and deviation of exp(E KL(p(y|x) || p(y))) over `splits` parts of the samples.

    Salimans et al. 2016 (arXiv:1606.03498). The score ranges from 1 (equal predictions for all
    samples) to the number of classes (certain predictions, equally many for each class). It does
    not use real data: a single perfect image for each class has the best score.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"logits"})
    lower_is_better: ClassVar[bool] = False
    featured: ClassVar[bool] = True

    def __init__(self, *, splits: Count = 10, seed: Seed32 = 2020) -> None:
        self.splits, self.seed = splits, seed

    @property
    def minimum(self) -> int:
        return 2 * self.splits  # a split with a single sample always scores 1

    def options_for(self, count: int) -> dict[str, int]:
        """Returns options that `count` samples are enough for."""
        return {"splits": count // 2} if count > 1 else {}

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:  # noqa: ARG002
        assert fake.logits is not None
        count = len(fake.logits)
        # Shuffled, since samples of a conditional generator may be sorted by class. Seed 2020 gives
        # the order of torch-fidelity.
        order = np.random.RandomState(self.seed).permutation(count)
        edges = [i * count // self.splits for i in range(self.splits + 1)]
        scores = [inception_score(fake.logits[order[i:j]]) for i, j in pairwise(edges)]
        return {"is": float(np.mean(scores)), "is_std": float(np.std(scores))}


def inception_score(logits: Tensor) -> float:
    """exp(E KL(p(y|x) || p(y))) for logits (N, classes), in float64 as in torch-fidelity."""
    log_p = logits.double().log_softmax(1)  # (N, classes)
    # By logsumexp: log(mean p) would be -inf for a class with p = 0 everywhere, and 0 * inf NaN.
    log_marginal = log_p.logsumexp(0) - math.log(len(logits))  # (classes,)
    divergence = (log_p.exp() * (log_p - log_marginal)).sum(1)  # (N,)
    return divergence.mean().exp().item()
