"""Data drawn from a known distribution: a fixed sample, or new samples for every batch."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor

from gan_cli.data.sets.in_memory import InMemory

Draw = Callable[[int, np.random.Generator], dict[str, Tensor]]  # draws that many samples
ENDLESS_SAMPLE_COUNT = 100_000  # fixed samples that represent an endless set, e.g. in metrics


class SampledDataset(InMemory):
    """`count` samples of a distribution; with `count` None every batch has new ones."""

    self_contained: ClassVar[bool] = True  # reads nothing that does not come with the program

    def __init__(self, draw: Draw, count: int | None, seed: int, classes: int = 0) -> None:
        self.draw, self.seed, self.endless = draw, seed, count is None
        sample = draw(ENDLESS_SAMPLE_COUNT if count is None else count, np.random.default_rng(seed))
        super().__init__(sample, classes)

    def fresh(self, count: int, key: Sequence[int]) -> dict[str, Tensor]:
        """Returns `count` new samples, which depend only on the seed and on `key`."""
        return self.draw(count, np.random.default_rng([self.seed, *key]))

    def fingerprint(self) -> str:
        return f"endless-{super().fingerprint()}" if self.endless else super().fingerprint()
