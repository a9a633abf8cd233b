"""The feed of data that do not fit on the device, read by worker processes."""

import atexit
import signal
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count, pairwise
from typing import Any, ClassVar

import torch
from torch.utils.data import DataLoader

from gan_cli.data.dataset import MapDataset
from gan_cli.data.feeds.batch_sampler import BatchSampler
from gan_cli.data.feeds.decode import Batch, decode

CPU = torch.device("cpu")


class StreamingFeed:
    """Reads samples in worker processes during training; only a few batches are in memory."""

    kind: ClassVar[str] = "streaming"

    def __init__(
        self, dataset: MapDataset, sampler: BatchSampler, device: torch.device, workers: int
    ) -> None:
        self.dataset, self.sampler, self.device, self.workers = dataset, sampler, device, workers
        self.running: Generator[Batch, None, None] | None = None
        OPEN.add(self)

    def batches(self, drawn: int) -> Iterator[Batch]:
        self.close()
        self.running = stream(self.dataset, self.sampler, self.device, self.workers, drawn)
        return self.running

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
) -> Generator[Batch, None, None]:
    """Yields batches from number `drawn` on; the workers end with the iteration."""
    loader: DataLoader[Any] = DataLoader(
        dataset,  # type: ignore[arg-type]
        batch_sampler=(sampler.batch(number, CPU)[0].tolist() for number in count(drawn)),
        num_workers=workers,
        pin_memory=device.type == "cuda",
        worker_init_fn=ignore_signals,
        generator=torch.Generator(),  # the default would advance the global random state
    )
    with signals_blocked():
        samples = iter(loader)
    try:
        for number, batch in zip(count(drawn), prefetch(samples, device), strict=False):
            mirrored = sampler.batch(number, device)[1] if dataset.hflip else None
            yield decode(batch, dataset.spec.fields, mirrored)
    finally:
        # Explicitly, since the traceback of an exception would keep the loader alive, and the
        # program would wait for the workers when it exits.
        if workers:
            samples._shutdown_workers()  # type: ignore[attr-defined]


# Ctrl-C and a scheduler's signals reach all processes; only the main one handles them.
NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")  # the last is missing on Windows
HANDLED = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Context in which signals are blocked, for workers until they call ignore_signals().

    Otherwise a signal that arrives while a worker is starting would kill it.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_signals(worker: int) -> None:  # noqa: ARG001
    """Makes a worker ignore the signals that the main process handles."""
    for number in HANDLED:
        signal.signal(number, signal.SIG_IGN)


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
