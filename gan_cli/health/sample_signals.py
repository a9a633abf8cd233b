"""What a small batch of fakes says beside a real one, from distances alone."""

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.metrics.metric import Features, extractors
from gan_cli.utils.images import to_uint8

BATCH = 64  # fakes of a reading, and the real samples beside them
REFERENCE = 1024  # training samples among which a copy is looked for: small sets are what is copied
NEAR = 0.25  # of the usual distance between neighbours: nearer ones are duplicates


class Pictures:
    """Training samples, the same ones at every reading, that fakes are held against."""

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
        index = order[:REFERENCE]
        real = torch.stack([dataset[int(i)]["real"] for i in index]).to(device)
        labels = dataset.labels()
        self.labels = None if labels is None else labels[index.repeat(BATCH)[:BATCH]]
        self.spaces = spaces(dataset, device)
        self.real = {name: space(real[:BATCH]).features for name, space in self.spaces.items()}
        self.spread = {name: spread(points) for name, points in self.real.items()}
        self.first = next(iter(self.spaces))  # in which distances are told in numbers
        self.near = NEAR * nearest(self.real[self.first]).median()
        # Who draws from a small data set repeats itself: this share has a twin in the batch.
        self.natural = 1 - (1 - 1 / len(dataset)) ** (BATCH - 1)
        # Mirrored, a copy is still a copy; the fakes of such data may be either.
        mirrored = [real.flip(-1)] if dataset.hflip else []
        self.training = self.spaces[self.first](torch.cat([real, *mirrored])).features
        self.apart = nearest(self.training[: len(real)]).median()

    def compare(self, fake: Tensor) -> dict[str, float]:
        """Fakes (N, *shape), images in [-1, 1]; one transfer from the device."""
        samples = to_uint8(fake) if fake.ndim == 4 else fake
        points = {name: space(samples).features for name, space in self.spaces.items()}
        first, last = points[self.first], list(points)[-1]
        values = {f"diversity_{k}": spread(p) / self.spread[k] for k, p in points.items()}
        twins = (nearest(first) < self.near).float().mean()
        values["duplicates"] = (twins - self.natural).clamp(min=0)
        values["novelty"] = distances(first, self.training).amin(1).median() / self.apart
        values["separability"] = separability(self.real[last], points[last])
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))


def spaces(dataset: Dataset, device: torch.device) -> dict[str, Features]:
    """In which samples are compared: images as pixels and by random features, vectors as such."""
    names = ("pixels", "random") if len(dataset.spec.shape) == 3 else ("identity",)
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
