"""Signals of a small batch of generated samples, computed from distances to real samples."""

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, part_with, pick
from gan_cli.data.kinds import kind_of
from gan_cli.metrics.metric import Features, extractors

BATCH = 64  # fakes of a reading, and real samples that they are compared with
REFERENCE = 1024  # training samples searched for copies; mostly small data sets are memorised
NEAR = 0.25  # duplicates: distance relative to the median between nearest neighbours


class SampleComparison:
    """Compares fakes with training samples, which are the same at every reading."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        target = dataset.spec.target
        part = part_with(dataset, target)
        self.kind = kind_of(dataset.spec.fields[target])
        order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))
        index = order[:REFERENCE]
        real = pick(part, target, index).to(device)
        self.index = index.repeat(BATCH)[:BATCH]  # of the samples with the fakes' labels and inputs
        self.spaces = spaces(dataset, device)
        self.real = {name: space(real[:BATCH]).features for name, space in self.spaces.items()}
        self.spread = {name: spread(points) for name, points in self.real.items()}
        self.first = next(iter(self.spaces))  # the space for duplicates and novelty
        self.near = NEAR * nearest(self.real[self.first]).median()
        # The share of duplicates expected in a batch drawn from the data set itself.
        self.expected = 1 - (1 - 1 / len(part)) ** (BATCH - 1)
        # A mirrored copy is a copy, too, if the data are mirrored at random.
        everywhere = torch.ones(len(real), dtype=torch.bool, device=device)
        mirrored = [self.kind.mirror(real, everywhere)] if part.hflip else []
        self.training = self.spaces[self.first](torch.cat([real, *mirrored])).features
        self.scale = nearest(self.training[: len(real)]).median()

    def signals(self, fake: Tensor) -> dict[str, float]:
        """Returns the signals of fakes (N, *shape) in model form, with one device transfer."""
        samples = self.kind.to_stored(fake)
        points = {name: space(samples).features for name, space in self.spaces.items()}
        first, last = points[self.first], list(points)[-1]
        values = {f"diversity_{k}": spread(p) / self.spread[k] for k, p in points.items()}
        duplicates = (nearest(first) < self.near).float().mean()
        values["duplicates"] = (duplicates - self.expected).clamp(min=0)
        values["novelty"] = distances(first, self.training).amin(1).median() / self.scale
        values["separability"] = separability(self.real[last], points[last])
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))


def spaces(dataset: Dataset, device: torch.device) -> dict[str, Features]:
    """Returns the feature maps in which samples of the target's kind are compared."""
    names = kind_of(dataset.spec.fields[dataset.spec.target]).health_features
    return {name: extractors.build({"name": name}, dataset, device, where="") for name in names}


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Returns distances (N, M) of points (N, D) and (M, D).

    They are not computed from inner products, which lose the precision of small distances.
    """
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def self_distances(points: Tensor) -> Tensor:
    """Returns distances (N, N) among points (N, D), with an infinite diagonal."""
    return distances(points, points).fill_diagonal_(float("inf"))


def nearest(points: Tensor) -> Tensor:
    """Returns the distance (N,) of each point (N, D) to the nearest other point."""
    return self_distances(points).amin(1)


def spread(points: Tensor) -> Tensor:
    """Returns the mean distance between two different points of (N, D)."""
    return distances(points, points).sum() / (len(points) * (len(points) - 1))


def separability(real: Tensor, fake: Tensor) -> Tensor:
    """Accuracy of the 1-NN two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545).

    It is 1 if no real and no fake sample has a nearest neighbour of the other kind, and about 1/2
    if both have the same distribution.
    """
    is_fake = torch.arange(len(real) + len(fake), device=real.device) >= len(real)
    neighbour = self_distances(torch.cat([real, fake])).argmin(1)
    return (is_fake[neighbour] == is_fake).float().mean()
