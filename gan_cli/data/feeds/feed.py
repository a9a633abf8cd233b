"""Feeds: endless iterators of batches that depend only on the seed, and how they are chosen."""

import logging
from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol

import numpy as np
import torch

from gan_cli.data.dataset import Joint, MapDataset
from gan_cli.data.feeds.batch_sampler import BatchSampler
from gan_cli.data.feeds.decode import Batch
from gan_cli.data.feeds.endless import Endless, EndlessFeed
from gan_cli.data.feeds.resident import ResidentFeed, size_in_bytes
from gan_cli.data.feeds.streaming import StreamingFeed

log = logging.getLogger(__name__)


class Feed(Protocol):
    """A source of batches of a data set, in model form on the device."""

    kind: ClassVar[str]  # "resident", "streaming", "endless" or "joint"

    def batches(self, drawn: int) -> Iterator[Batch]:
        """Yields batches from number `drawn` on, without using the global random state."""
        ...

    def prepare(self, count: int) -> None:
        """Makes sure that the next `count` batches can be drawn; raises DataError if not."""
        ...

    def close(self) -> None:
        """Stops background processes."""
        ...


class JointFeed:
    """Joins the batches of several feeds, which have different keys."""

    kind: ClassVar[str] = "joint"

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = feeds

    def batches(self, drawn: int) -> Iterator[Batch]:
        for parts in zip(*(feed.batches(drawn) for feed in self.feeds), strict=True):
            yield {key: value for part in parts for key, value in part.items()}

    def prepare(self, count: int) -> None:
        for feed in self.feeds:
            feed.prepare(count)

    def close(self) -> None:
        for feed in self.feeds:
            feed.close()


def open_feed(
    dataset: MapDataset | Joint,
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
    """Returns the feed of a data set.

    `batch_size` is that of one rank. With `resident` None, data are resident if they fit into
    `resident_gib`.
    """
    if isinstance(dataset, Joint):
        parts = dataset.parts()
        # Each part has its own seed; otherwise parts of equal size would always form equal pairs.
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
    warn_of_repetition(len(dataset), batch_size * world)
    sampler = BatchSampler(len(dataset), batch_size, seed, rank, world)
    if isinstance(dataset, Endless) and dataset.endless:
        return EndlessFeed(dataset, sampler, device)
    if resident is None:
        resident = size_in_bytes(dataset) <= resident_gib * 2**30
    if resident:
        return ResidentFeed(dataset, sampler, device)
    return StreamingFeed(dataset, sampler, device, workers)


def warn_of_repetition(count: int, batch_size: int) -> None:
    """Warns if a batch is larger than the data set; no sample is dropped or left out for it."""
    if batch_size > count:
        log.warning(
            "batch_size: a batch of %d samples holds each of the %d samples of the data set %s; "
            "batch_size=%d or less avoids repetition",
            batch_size,
            count,
            "more than once" if batch_size >= 2 * count else "once, and some of them twice",
            count,
        )
