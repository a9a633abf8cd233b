"""Signals of a small batch of generated samples, from distances to real ones alone."""

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, part_with, pick
from gan_cli.data.kinds import kind_of
from gan_cli.metrics.metric import Features, extractors

BATCH = 64  # fakes of a reading, and the real samples beside them
REFERENCE = 1024  # training samples among which a copy is looked for: small sets are what is copied
NEAR = 0.25  # of the usual distance between neighbours: nearer ones are duplicates


class SampleSignals:
    """Compares fakes with training samples, the same ones at every reading."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        target = dataset.spec.target
        part = part_with(dataset, target)
        self.kind = kind_of(dataset.spec.fields[target])
        order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))
        index = order[:REFERENCE]
        real = pick(part, target, index).to(device)
        self.index = index.repeat(BATCH)[:BATCH]  # of the samples whose labels and inputs fakes get
        self.spaces = spaces(dataset, device)
        self.real = {name: space(real[:BATCH]).features for name, space in self.spaces.items()}
        self.spread = {name: spread(points) for name, points in self.real.items()}
        self.first = next(iter(self.spaces))  # in which distances are told in numbers
        self.near = NEAR * nearest(self.real[self.first]).median()
        # Who draws from a small data set repeats itself: this share has a twin in the batch.
        self.natural = 1 - (1 - 1 / len(part)) ** (BATCH - 1)
        # Mirrored, a copy is still a copy; the fakes of such data may be either.
        everywhere = torch.ones(len(real), dtype=torch.bool, device=device)
        mirrored = [self.kind.mirror(real, everywhere)] if part.hflip else []
        self.training = self.spaces[self.first](torch.cat([real, *mirrored])).features
        self.apart = nearest(self.training[: len(real)]).median()

    def compare(self, fake: Tensor) -> dict[str, float]:
        """Fakes (N, *shape) in model form; one transfer from the device."""
        samples = self.kind.to_stored(fake)
        points = {name: space(samples).features for name, space in self.spaces.items()}
        first, last = points[self.first], list(points)[-1]
        values = {f"diversity_{k}": spread(p) / self.spread[k] for k, p in points.items()}
        twins = (nearest(first) < self.near).float().mean()
        values["duplicates"] = (twins - self.natural).clamp(min=0)
        values["novelty"] = distances(first, self.training).amin(1).median() / self.apart
        values["separability"] = separability(self.real[last], points[last])
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))


def spaces(dataset: Dataset, device: torch.device) -> dict[str, Features]:
    """The feature maps by which samples of the target's kind are compared."""
    names = kind_of(dataset.spec.fields[dataset.spec.target]).health_features
    return {name: extractors.build({"name": name}, dataset, device, where="") for name in names}


def distances(a: Tensor, b: Tensor) -> Tensor:
    """(N, D), (M, D) -> (N, M). Not by inner products: they round small distances away."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def among(points: Tensor) -> Tensor:
    """(N, D) -> (N, N), infinite on the diagonal: nothing is its own neighbour."""
    return distances(points, points).fill_diagonal_(float("inf"))


def nearest(points: Tensor) -> Tensor:
    """(N, D) -> (N,): the distance to the nearest other point."""
    return among(points).amin(1)


def spread(points: Tensor) -> Tensor:
    """The mean distance between two different points of (N, D)."""
    return distances(points, points).sum() / (len(points) * (len(points) - 1))


def separability(real: Tensor, fake: Tensor) -> Tensor:
    """1-NN two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545): its accuracy.

    1: no fake's nearest neighbour is real, and no real's fake; 1/2: they mix like equals.
    """
    is_fake = torch.arange(len(real) + len(fake), device=real.device) >= len(real)
    neighbour = among(torch.cat([real, fake])).argmin(1)
    return (is_fake[neighbour] == is_fake).float().mean()
