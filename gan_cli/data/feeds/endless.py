"""The feed of endless data sets: new samples for every batch."""

from collections.abc import Iterator, Sequence
from itertools import count as numbers
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli.data.feeds.batch_sampler import BatchSampler
from gan_cli.data.feeds.decode import Batch, decode
from gan_cli.data.spec import Spec


@runtime_checkable
class Endless(Protocol):
    """A data set that can draw any number of new samples, and does if `endless` is true."""

    endless: bool
    spec: Spec

    def fresh(self, count: int, key: Sequence[int]) -> dict[str, Tensor]:
        """Returns `count` new samples, which depend only on the non-negative numbers `key`."""
        ...


class EndlessFeed:
    """Draws each batch from its number, so that runs can be resumed; ranks split it in turn."""

    kind: ClassVar[str] = "endless"

    def __init__(self, dataset: Endless, sampler: BatchSampler, device: torch.device) -> None:
        self.dataset, self.sampler, self.device = dataset, sampler, device

    def batches(self, drawn: int) -> Iterator[Batch]:
        sampler, fields = self.sampler, self.dataset.spec.fields
        total = sampler.batch_size * sampler.world
        for number in numbers(drawn):
            together = self.dataset.fresh(total, (sampler.seed, number))
            own = {key: value[sampler.rank :: sampler.world] for key, value in together.items()}
            yield decode({key: value.to(self.device) for key, value in own.items()}, fields)

    def prepare(self, count: int) -> None:
        pass

    def close(self) -> None:
        pass
