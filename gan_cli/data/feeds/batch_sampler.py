"""Selects the samples of each batch as a function of the seed, so that runs can be resumed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


@lru_cache(maxsize=4)
def shuffle(count: int, seed: int, epoch: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Returns an epoch's order (count,) int64, and which images are mirrored (count,) bool."""
    random = np.random.default_rng([seed, epoch])  # a hash of both, unlike seed + epoch
    order = torch.from_numpy(random.permutation(count))
    mirrored = torch.from_numpy(random.random(count) < 0.5)
    return moved(order, device), moved(mirrored, device)


@lru_cache(maxsize=4)
def corners(count: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """Returns where an epoch's images are cut, (count, 2) in [0, 1): from the top and the left."""
    random = np.random.default_rng([seed, epoch, 1])  # other numbers than those of `shuffle`
    return moved(torch.from_numpy(random.random((count, 2), np.float32)), device)


def moved(values: Tensor, device: torch.device) -> Tensor:
    """Returns a copy on the device; nothing waits for the GPU, as copies of pageable memory do."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


@dataclass(frozen=True)
class BatchSampler:
    """Draws every sample once per epoch; a batch may span the end of an epoch.

    Samples are assigned to ranks in turn. Taken together, the batches of all ranks depend on
    batch_size * world only.
    """

    count: int  # samples
    batch_size: int  # of one rank
    seed: int  # not negative
    rank: int
    world: int

    def batch(self, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Returns indices (N,) int64 of batch `number`, and which are mirrored (N,) bool."""
        parts = [
            [x[rows] for x in shuffle(self.count, self.seed, epoch, device)]
            for epoch, rows in self.rows(number)
        ]
        index, mirrored = (torch.cat(x) for x in zip(*parts, strict=True))
        return index, mirrored

    def corners(self, number: int, device: torch.device) -> Tensor:
        """Returns where the images of batch `number` are cut, (N, 2) in [0, 1)."""
        parts = [
            corners(self.count, self.seed, epoch, device)[rows] for epoch, rows in self.rows(number)
        ]
        return torch.cat(parts)

    def rows(self, number: int) -> Iterator[tuple[int, slice]]:
        """Yields the epochs that batch `number` takes samples of, and which ones in their order."""
        position = number * self.batch_size * self.world + self.rank
        end = position + self.batch_size * self.world
        while position < end:
            epoch, start = divmod(position, self.count)
            stop = min(start + end - position, self.count)
            yield epoch, slice(start, stop, self.world)
            position += len(range(start, stop, self.world)) * self.world
