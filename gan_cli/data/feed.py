"""Batches without end: from tensors on the device, or streamed by workers; equal for one seed."""

from collections.abc import Iterator
from typing import ClassVar, Protocol

import torch

from gan_cli.data.decode import Batch
from gan_cli.data.order import Order
from gan_cli.data.registry import Dataset
from gan_cli.data.resident import ResidentFeed
from gan_cli.data.streaming import StreamingFeed


class Feed(Protocol):
    kind: ClassVar[str]  # "resident" or "streaming"

    def batches(self, drawn: int) -> Iterator[Batch]:
        """Batches from number `drawn` on; a function of the seed, which touches no global RNG."""
        ...

    def close(self) -> None:
        """End what runs in the background."""
        ...


def open_feed(
    dataset: Dataset,
    *,
    batch_size: int,
    seed: int,
    rank: int,
    world: int,
    device: torch.device,
    resident: bool | None,
    resident_gib: float,
    workers: int,
) -> Feed:
    """`batch_size` is that of one rank; `resident` None: if the data fits in `resident_gib`."""
    order = Order(len(dataset), batch_size, seed, rank, world)
    if resident is None:
        resident = size_in_bytes(dataset) <= resident_gib * 2**30
    if resident:
        return ResidentFeed(dataset, order, device)
    return StreamingFeed(dataset, order, device, workers)


def size_in_bytes(dataset: Dataset) -> int:
    """Of all samples, decoded."""
    one = dataset[0]
    return len(dataset) * sum(value.numel() * value.element_size() for value in one.values())
