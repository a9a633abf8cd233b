"""Frechet distances between features of real and of generated samples.

Heusel et al. 2017 (arXiv:1706.08500) name theirs FID after Inception's features. None of these is a
FID: each carries the name of its own features and compares with nothing else.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, reduce
from operator import add
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.data.registry import Dataset
from gan_cli.errors import ConfigError, NonFiniteError
from gan_cli.images import to_uint8
from gan_cli.metrics.evaluation import metrics
from gan_cli.metrics.features import PixelFeatures, RandomFeatures
from gan_cli.metrics.frechet import Moments, frechet_distance

BATCH = 250  # samples drawn and embedded at a time


class FrechetDistance:
    """Of `count` generated samples from up to `real_count` real ones; a subclass has the features.

    Both counts shift the value: between two samples of one standard Gaussian in D dimensions it is
    about (D + D (D + 1) / 4) (1 / count + 1 / real_count). Compare at equal counts only.
    """

    name: ClassVar[str]
    lower_is_better: ClassVar[bool] = True
    dimensions: ClassVar[int] = 3  # of a sample's shape: (C, H, W)

    def __init__(
        self, dataset: Dataset, device: torch.device, *, count: int = 2000, real_count: int = 10_000
    ) -> None:
        shape = tuple(dataset.spec.shape)
        if len(shape) != self.dimensions:
            advice = "fd_vectors" if len(shape) == 1 else "fd_random"
            raise ConfigError(
                f"metrics.{self.name}: cannot measure samples of shape {shape}; "
                f"use metrics={advice}"
            )
        for key, given in (("count", count), ("real_count", real_count)):
            if given < 2:
                raise ConfigError(f"metrics.{self.name}.{key}: needs 2 or more, got {given}")
        self.dataset, self.device = dataset, device
        self.count, self.real_count = count, real_count
        self.features = self.build_features(shape).to(device)

    def build_features(self, shape: tuple[int, ...]) -> nn.Module:
        raise NotImplementedError

    def as_data(self, samples: Tensor) -> Tensor:
        """As image files would hold them: what is generated is rounded as what is real was."""
        return to_uint8(samples) if samples.is_floating_point() else samples

    def __call__(self, generate: Callable[[int], Tensor]) -> float:
        return frechet_distance(self.real, self.moments(self.draw(generate)))

    @cached_property
    def real(self) -> Moments:
        return self.moments(real_batches(self.dataset, self.real_count))

    @torch.no_grad()
    def moments(self, batches: Iterable[Tensor]) -> Moments:
        data = (self.as_data(batch).to(self.device) for batch in batches)
        return reduce(add, (Moments.of(self.features(batch)) for batch in data))

    def draw(self, generate: Callable[[int], Tensor]) -> Iterator[Tensor]:
        for start in range(0, self.count, BATCH):
            samples = generate(min(BATCH, self.count - start))
            if not samples.isfinite().all():  # uint8 has no NaN: the metric would be a number
                raise NonFiniteError(f"metrics.{self.name}: a generated sample is not finite")
            yield samples


def real_batches(dataset: Dataset, limit: int) -> Iterator[Tensor]:
    """The data set, or `limit` samples picked once and for all: it may be sorted by class.

    Never mirrored, whatever the training does, as in StyleGAN2-ADA's metrics.
    """
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
    tensors = dataset.tensors()
    for picked in order[:limit].sort().values.split(BATCH):
        if tensors is not None:
            yield tensors["real"][picked]
        else:
            yield torch.stack([torch.as_tensor(dataset[i]["real"]) for i in picked.tolist()])


@metrics.register("fd_random")
class RandomFrechet(FrechetDistance):
    """Between features of a fixed untrained network: no download, any size, any channels."""

    name = "fd_random"

    def build_features(self, shape: tuple[int, ...]) -> nn.Module:
        return RandomFeatures(shape[0])


@metrics.register("fd_pixels")
class PixelFrechet(FrechetDistance):
    """Between images averaged down to thumbnails: sees layout and colour, but no texture."""

    name = "fd_pixels"

    def build_features(self, shape: tuple[int, ...]) -> nn.Module:
        return PixelFeatures(*shape)


@metrics.register("fd_vectors")
class VectorFrechet(FrechetDistance):
    """Between vectors as they are."""

    name = "fd_vectors"
    dimensions = 1

    def build_features(self, _shape: tuple[int, ...]) -> nn.Module:
        return nn.Identity()

    def as_data(self, samples: Tensor) -> Tensor:
        return samples
