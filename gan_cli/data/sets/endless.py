"""Data drawn from a known law: a sample of it once, or fresh samples for every batch."""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from gan_cli.data.sets.in_memory import InMemory

Draw = Callable[[int, np.random.Generator], dict[str, Tensor]]  # so many independent samples
ENDLESS_SAMPLE_COUNT = 100_000  # fixed samples that represent an endless set, e.g. in metrics


class Drawn(InMemory):
    """`count` samples of a law; with `count` None no sample is ever seen twice."""

    def __init__(self, draw: Draw, count: int | None, seed: int, classes: int = 0) -> None:
        self.draw, self.seed, self.endless = draw, seed, count is None
        sample = draw(ENDLESS_SAMPLE_COUNT if count is None else count, np.random.default_rng(seed))
        super().__init__(sample, classes)

    def fresh(self, count: int, key: Sequence[int]) -> dict[str, Tensor]:
        return self.draw(count, np.random.default_rng([self.seed, *key]))

    def fingerprint(self) -> str:
        return f"endless-{super().fingerprint()}" if self.endless else super().fingerprint()
