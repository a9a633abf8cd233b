"""Random numbers that belong to samples, not to batches."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Noise:
    """One stream of random numbers for each sample, started from the sample's own seed.

    Sample i draws the same numbers in any batch and at any place in it, however often it draws.
    All numbers come from the CPU, so that every device gets the same ones.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.streams = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        return len(self.streams)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers (N, *shape)."""
        return torch.stack([torch.randn(shape, generator=stream) for stream in self.streams])

    def uniform(self, *shape: int) -> Tensor:
        """Numbers (N, *shape), uniform on [0, 1)."""
        return torch.stack([torch.rand(shape, generator=stream) for stream in self.streams])
