"""Batches without end: from tensors on the device, or streamed by workers; equal for one seed."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol

import numpy as np
import torch

from gan_cli.data.dataset import Joint, Stored
from gan_cli.data.feeds.batch_sampler import BatchSampler
from gan_cli.data.feeds.decode import Batch
from gan_cli.data.feeds.endless import Endless, EndlessFeed
from gan_cli.data.feeds.resident import ResidentFeed
from gan_cli.data.feeds.streaming import StreamingFeed


class Feed(Protocol):
    kind: ClassVar[str]  # "resident", "streaming", "endless" or "joint"

    def batches(self, drawn: int) -> Iterator[Batch]:
        """Batches from number `drawn` on; a function of the seed, which touches no global RNG."""
        ...

    def close(self) -> None:
        """End what runs in the background."""
        ...


class JointFeed:
    """Batches of several feeds side by side: batch k holds the keys of each one's batch k."""

    kind: ClassVar[str] = "joint"

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = feeds

    def batches(self, drawn: int) -> Iterator[Batch]:
        for parts in zip(*(feed.batches(drawn) for feed in self.feeds), strict=True):
            yield {key: value for part in parts for key, value in part.items()}

    def close(self) -> None:
        for feed in self.feeds:
            feed.close()


def open_feed(
    dataset: Stored | Joint,
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
    if isinstance(dataset, Joint):
        parts = dataset.parts()
        # Seeds of their own, or data sets of one size would always meet in the same pairs.
        seeds = np.random.SeedSequence(seed).generate_state(len(parts)).tolist()
        feeds = [
            open_feed(
                part,
                batch_size=batch_size,
                seed=own,
                rank=rank,
                world=world,
                device=device,
                resident=resident,
                resident_gib=resident_gib / len(parts),
                workers=workers,
            )
            for part, own in zip(parts, seeds, strict=True)
        ]
        return JointFeed(feeds)
    sampler = BatchSampler(len(dataset), batch_size, seed, rank, world)
    if isinstance(dataset, Endless) and dataset.endless:
        return EndlessFeed(dataset, sampler, device)
    if resident is None:
        resident = size_in_bytes(dataset) <= resident_gib * 2**30
    if resident:
        return ResidentFeed(dataset, sampler, device)
    return StreamingFeed(dataset, sampler, device, workers)


def size_in_bytes(dataset: Stored) -> int:
    """Of all samples, decoded."""
    one = dataset[0]
    return len(dataset) * sum(value.numel() * value.element_size() for value in one.values())
