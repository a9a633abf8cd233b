"""Intra-class Frechet distance."""

from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.metrics.frechet import Moments, frechet_distance
from gan_cli.metrics.metric import Collected, Need, metrics


@metrics.register("class_fd")
class ClassFrechet:
    """Mean and maximum over classes of the Frechet distance within a class.

    The intra FID of Miyato & Koyama 2018 (arXiv:1802.05637), section 5.1, with any features. It
    detects a generator that ignores its labels, which the distance over all classes cannot.

    `smallest_class` is the smallest number of real or generated samples of a class. A class with
    fewer than 2 raises ConfigError, since a mean over the others would be another metric. If a
    class has fewer samples than the features have dimensions, its bias dominates the value.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"features", "labels"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True
    minimum = 2

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        classes = torch.cat([labels_of(real), labels_of(fake)]).unique().tolist()
        pairs = {label: (of_class(real, label), of_class(fake, label)) for label in classes}
        check_counts({label: (len(r), len(f)) for label, (r, f) in pairs.items()})
        distances = [frechet_distance(Moments.of(r), Moments.of(f)) for r, f in pairs.values()]
        return {
            "class_fd": sum(distances) / len(distances),
            "worst_class_fd": max(distances),
            "smallest_class": min(len(side) for pair in pairs.values() for side in pair),
        }


def labels_of(side: Collected) -> Tensor:
    assert side.labels is not None
    return side.labels


def of_class(side: Collected, label: int) -> Tensor:
    """Features of one class, (n, D)."""
    assert side.features is not None
    return side.features[labels_of(side) == label]


def check_counts(counts: dict[int, tuple[int, int]]) -> None:
    """Raises ConfigError if a class has fewer than 2 real or generated samples."""
    faults = [
        f"metrics.compute.class_fd: class {label} has {real} real and {fake} generated samples, "
        "and needs 2 of each; raise metrics.real_count and metrics.count, or leave class_fd out"
        for label, (real, fake) in counts.items()
        if min(real, fake) < 2
    ]
    if faults:
        raise ConfigError(*faults)
