"""The feed of data that do not fit on the device, read by worker processes."""

import atexit
import logging
import weakref
from collections import deque
from collections.abc import Generator, Iterator
from itertools import count, pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from gan_cli.data.dataset import MapDataset
from gan_cli.data.feeds.batch_sampler import BatchSampler
from gan_cli.data.feeds.decode import Batch, crop, decode
from gan_cli.data.feeds.reading import Reader, readable
from gan_cli.data.feeds.workers import (
    Loading,
    LostWorkerError,
    many_accepted,
    start_worker,
    warn_of_many,
)
from gan_cli.data.sets.random_crop import Cropped
from gan_cli.utils.errors import DataError

CPU = torch.device("cpu")
RESTARTS = 1  # of the loader processes after one of them was lost, per iteration
log = logging.getLogger(__name__)

Stored = tuple[Batch, Tensor | None]  # a batch in stored form on the device, which are mirrored


class StreamingFeed:
    """Reads samples in worker processes during training; only a few batches are in memory."""

    kind: ClassVar[str] = "streaming"

    def __init__(
        self, dataset: MapDataset, sampler: BatchSampler, device: torch.device, workers: int
    ) -> None:
        self.dataset, self.sampler, self.device, self.workers = dataset, sampler, device, workers
        self.running: Generator[Stored, None, None] | None = None
        self.ready = deque[Stored]()  # batches that were read ahead
        warn_of_many(workers)
        OPEN.add(self)

    def batches(self, drawn: int) -> Iterator[Batch]:
        self.close()
        running = stream(self.dataset, self.sampler, self.device, self.workers, drawn)
        self.running, self.ready = running, deque()
        return self.decoded(running, self.ready)

    def decoded(self, running: Iterator[Stored], ready: deque[Stored]) -> Iterator[Batch]:
        """Yields the batches of a running iteration, first those that were read ahead."""
        while True:
            try:
                batch, mirrored = ready.popleft() if ready else next(running)
            except StopIteration:  # closed
                return
            yield decode(batch, self.dataset.spec.fields, mirrored)

    def prepare(self, count: int) -> None:
        while self.running is not None and len(self.ready) < count:
            self.ready.append(next(self.running))

    def close(self) -> None:
        if self.running is not None:
            self.running.close()


OPEN: weakref.WeakSet[StreamingFeed] = weakref.WeakSet()


@atexit.register
def close_all() -> None:
    """Closes all feeds before multiprocessing's exit handler, which would wait for workers."""
    for feed in list(OPEN):
        feed.close()


def stream(
    dataset: MapDataset, sampler: BatchSampler, device: torch.device, workers: int, drawn: int
) -> Generator[Stored, None, None]:
    """Yields batches from number `drawn` on; the workers end with the iteration.

    Raises DataError for samples that cannot be read, and if workers are lost repeatedly.
    """
    number = drawn
    for restart in count():
        with many_accepted():
            source = dataset.whole if isinstance(dataset, Cropped) else dataset
            loader = open_loader(source, sampler, device, workers, number)
            loading = Loading(loader, len(dataset.spec.fields))
        try:
            for batch in prefetch(readable(loading), device):
                if isinstance(dataset, Cropped):
                    corners = sampler.corners(number, device)
                    batch = crop(batch, dataset.spec.fields, corners)
                yield batch, sampler.batch(number, device)[1] if dataset.hflip else None
                number += 1
        except LostWorkerError as lost:
            if restart == RESTARTS:
                raise DataError(
                    f"device.workers: a loader process {lost}, again after a restart; type a "
                    "smaller number, or device.workers=0, which reads in the training process"
                ) from lost
            log.warning("a loader process %s; all %d are started again", lost, workers)
        finally:
            loading.close()


def open_loader(
    dataset: MapDataset, sampler: BatchSampler, device: torch.device, workers: int, drawn: int
) -> DataLoader[Any]:
    """Returns a loader of the batches from number `drawn` on."""
    return DataLoader(
        Reader(dataset),  # type: ignore[arg-type]
        sampler=(sampler.batch(number, CPU)[0].tolist() for number in count(drawn)),
        batch_size=None,  # the sampler yields the indices of whole batches
        num_workers=workers,
        pin_memory=device.type == "cuda",
        worker_init_fn=start_worker,
        generator=torch.Generator(),  # the default would advance the global random state
    )


def prefetch(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Yields batches on the device; on a GPU the next one is copied while one is in use."""
    if device.type != "cuda":
        for batch in batches:
            yield {key: value.to(device) for key, value in batch.items()}
        return
    copying = torch.cuda.Stream(device)

    def copy(batch: Batch) -> tuple[Batch, torch.cuda.Event]:
        with torch.cuda.stream(copying):
            moved = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
            return moved, copying.record_event()

    for (batch, arrived), _ in pairwise(map(copy, batches)):
        working = torch.cuda.current_stream(device)
        working.wait_event(arrived)
        for value in batch.values():
            value.record_stream(working)  # prevents reuse of the memory while it is read
        yield batch
