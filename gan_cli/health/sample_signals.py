"""Signals of a small batch of generated samples, computed from distances to real samples."""

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, MapDataset, part_with, pick
from gan_cli.data.kinds import kind_of
from gan_cli.metrics.metric import Features, at_a_time, embed, extractors

BATCH = 64  # fakes of a reading, and real samples that they are compared with
REFERENCE = 1024  # training samples searched for copies; mostly small data sets are memorised
NEAR = 0.25  # duplicates: distance relative to the median between nearest neighbours
FAR = 5.0  # missed and stray: distance relative to the same; shares of fair samples: 0 to 0.09
WIDE = 0.1  # the same at least, relative to the mean distance: between modes, not within them
SEARCHED = 0.5  # least share of the training samples in REFERENCE from which copies are counted
NEIGHBOURS = 8  # training samples next to a fake, among which twins are left out
COPY = 0.5  # copies: distance to the nearest relative to the next training sample


class SampleComparison:
    """Compares fakes with training samples, which are the same at every reading."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        target = dataset.spec.target
        part = part_with(dataset, target)
        self.kind = kind_of(dataset.spec.fields[target])
        order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))
        index = order[:REFERENCE]
        self.index = index.repeat(BATCH)[:BATCH]  # of the samples with the fakes' labels and inputs
        self.spaces = spaces(dataset, device)
        real = pick(part, target, index[:BATCH]).to(device)
        self.real = {name: embed(space, real).features for name, space in self.spaces.items()}
        self.spread = {name: spread(points) for name, points in self.real.items()}
        self.first = next(iter(self.spaces))  # the space for duplicates and novelty
        gap = distinct_nearest(self.real[self.first]).median()
        self.near = NEAR * gap
        self.far = torch.maximum(FAR * gap, WIDE * self.spread[self.first])
        self.expected = natural_duplicates(self.real[self.first], self.near, len(part))
        self.training = self.embedded(part, target, index, device)
        self.scale = distinct_nearest(self.training[: len(index)]).median()
        self.searched = len(index) / len(part)  # share of the training samples

    def embedded(
        self, part: MapDataset, target: str, index: Tensor, device: torch.device
    ) -> Tensor:
        """Returns the points of the samples `index`, and of their mirror images, which may follow.

        A mirrored copy is a copy, too, if the data are mirrored at random. Few large images are in
        memory at a time.
        """
        space, found, mirrored = self.spaces[self.first], list[Tensor](), list[Tensor]()
        for rows in index.split(at_a_time(part.spec.fields[target].shape)):
            samples = pick(part, target, rows).to(device)
            found.append(embed(space, samples).features)
            if part.hflip:
                everywhere = torch.ones(len(samples), dtype=torch.bool, device=device)
                mirrored.append(embed(space, self.kind.mirror(samples, everywhere)).features)
        return torch.cat([*found, *mirrored])

    def signals(self, fake: Tensor) -> dict[str, float]:
        """Returns the signals of fakes (N, *shape) in model form, with one device transfer."""
        samples = self.kind.to_stored(fake)
        points = {name: embed(space, samples).features for name, space in self.spaces.items()}
        first, last = points[self.first], list(points)[-1]
        values = {f"diversity_{k}": spread(p) / self.spread[k] for k, p in points.items()}
        duplicates = (nearest(first) < self.near).float().mean()
        values["duplicates"] = (duplicates - self.expected).clamp(min=0)
        between = distances(self.real[self.first], first)
        values["missed"] = (between.amin(1) > self.far).float().mean()
        values["stray"] = (between.amin(0) > self.far).float().mean()
        values |= self.closeness_to_training(first)
        values["separability"] = separability(self.real[last], points[last])
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))

    def closeness_to_training(self, points: Tensor) -> dict[str, Tensor]:
        """Returns the novelty of fakes (N, D) and, if enough samples are searched, the copies.

        A copy is much nearer to one training sample than to all others. A blurred fake is as near
        to many, which distances alone do not show (Carlini et al. 2023, arXiv:2301.13188).
        """
        between = distances(points, self.training)
        near, index = between.topk(min(NEIGHBOURS, len(self.training)), largest=False)  # (N, K)
        closest = near[:, 0]
        values = {"novelty": closest.median() / self.scale}
        if self.searched >= SEARCHED:
            neighbours = self.training[index]  # (N, K, D)
            twins = (neighbours - neighbours[:, :1]).norm(dim=2) <= self.near  # of the closest
            next_one = near.masked_fill(twins, float("inf")).amin(1)
            copies = (closest < COPY * next_one) & (closest < COPY * self.scale)
            values["copies"] = (copies.float().mean() / self.searched).clamp(max=1)
        return values


def natural_duplicates(real: Tensor, near: Tensor, count: int) -> Tensor:
    """Returns the share of duplicates expected in a batch drawn from `count` samples.

    Some are drawn twice, and the data may contain twins: `real` are different samples (N, D).
    """
    twins = (nearest(real) < near).float().mean()
    return 1 - (1 - twins) * (1 - 1 / count) ** (BATCH - 1)


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


def distinct_nearest(points: Tensor) -> Tensor:
    """Returns the distance (N,) of each point (N, D) to the nearest one that is not equal to it."""
    between = distances(points, points)
    return between.masked_fill(between == 0, float("inf")).amin(1)


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
