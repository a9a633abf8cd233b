"""Selects the samples of each batch as a function of the seed, so that runs can be resumed."""

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
        position = number * self.batch_size * self.world + self.rank
        end = position + self.batch_size * self.world
        parts = []
        while position < end:
            epoch, start = divmod(position, self.count)
            stop = min(start + end - position, self.count)
            part = [
                x[start : stop : self.world] for x in shuffle(self.count, self.seed, epoch, device)
            ]
            parts.append(part)
            position += len(part[0]) * self.world
        index, mirrored = (torch.cat(x) for x in zip(*parts, strict=True))
        return index, mirrored
