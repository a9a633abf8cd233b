"""Data drawn from a known law: a sample of it once, or fresh samples for every batch."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count as numbers
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.feeds.batch_sampler import Order
from gan_cli.data.feeds.decode import Batch, decode
from gan_cli.data.sets.in_memory import InMemory

Draw = Callable[[int, np.random.Generator], dict[str, Tensor]]  # so many independent samples
STANDING = 100_000  # samples that stand for an endless set: in metrics, and as the fixed ones


class Drawn(InMemory):
    """`count` samples of a law; with `count` None no sample is ever seen twice."""

    def __init__(self, draw: Draw, count: int | None, seed: int, classes: int = 0) -> None:
        self.draw, self.seed, self.endless = draw, seed, count is None
        sample = draw(STANDING if count is None else count, np.random.default_rng(seed))
        super().__init__(sample, classes)

    def fresh(self, count: int, key: Sequence[int]) -> dict[str, Tensor]:
        return self.draw(count, np.random.default_rng([self.seed, *key]))

    def fingerprint(self) -> str:
        return f"endless-{super().fingerprint()}" if self.endless else super().fingerprint()


@runtime_checkable
class Endless(Protocol):
    """A data set that may have no end."""

    endless: bool

    def fresh(self, count: int, key: Sequence[int]) -> dict[str, Tensor]:
        """`count` new samples; equal keys, which are not negative, give equal ones."""
        ...


class EndlessFeed:
    """Every batch from its own number, so that a run resumes anywhere; ranks share it in turn."""

    kind: ClassVar[str] = "endless"

    def __init__(self, dataset: Endless, order: Order, device: torch.device) -> None:
        self.dataset, self.order, self.device = dataset, order, device

    def batches(self, drawn: int) -> Iterator[Batch]:
        order = self.order
        for number in numbers(drawn):
            together = self.dataset.fresh(order.batch_size * order.world, (order.seed, number))
            own = {key: value[order.rank :: order.world] for key, value in together.items()}
            yield decode({key: value.to(self.device) for key, value in own.items()}, None)

    def close(self) -> None:
        pass
