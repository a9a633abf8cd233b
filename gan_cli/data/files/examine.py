"""Decodes many images once, on all cores."""

import logging
import multiprocessing
import os
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial

import numpy as np

from gan_cli.data.feeds.workers import signals_blocked, start_worker
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import Shape, fit, read_image, to_array
from gan_cli.data.files.unreadable import reason

MIN_SIZE = 8  # pixels per side; smaller images are icons rather than training images
CHUNK = 64  # images per task
AHEAD = 4  # tasks for each worker, whose results wait in memory
MANY = 2000  # small images, from which on it pays to start processes
MOST = 16  # workers
log = logging.getLogger(__name__)

Chunk = Sequence[str]


@dataclass(frozen=True)
class Examined:
    """What was found out about an image."""

    error: str | None = None
    passing: bool = False  # the error may pass by itself
    size: tuple[int, int] = (0, 0)  # height, width of the file
    checksum: int = 0  # CRC-32 of the file
    pixels: np.ndarray | None = None  # uint8 (C, H, W), if they are asked for and fit


@dataclass(frozen=True)
class Examiner:
    """Decodes images of an archive; `size` is that of the pixels to return, None for no pixels."""

    archive: Archive
    shape: Shape
    size: tuple[int, int] | None

    def __call__(self, names: Chunk) -> list[Examined]:
        return [self.examine(name) for name in names]

    def examine(self, name: str) -> Examined:
        shape = self.shape
        try:
            data = self.archive.read(name)
            if not data:
                raise ValueError("empty file")
            image = read_image(data, shape.channels)
            if min(image.size) < MIN_SIZE:
                raise ValueError(f"only {image.width}x{image.height} pixels")
            found, pixels = (image.height, image.width), None
            if self.size is not None and (shape.resize != "none" or found == self.size):
                pixels = to_array(fit(image, *self.size, shape.resize, shape.nearest))
        except Exception as error:  # Pillow and zipfile raise many types for damaged files
            passing = isinstance(error, MemoryError) or bool(getattr(error, "errno", None))
            return Examined(reason(error), passing)
        return Examined(None, False, found, zlib.crc32(data), pixels)


def examine_all(
    examiner: Examiner, names: Sequence[str], typical: tuple[int, int]
) -> Iterator[Examined]:
    """Yields what was found out about each image; `typical` is the size of one.

    Pillow decodes without the interpreter lock, but for images below about 100 x 100 pixels the
    work that needs the lock dominates, and a second thread takes 1.5 times as long. So it takes
    processes.
    """
    workers, done = min(cores(), MOST), 0
    chunks = [names[i : i + CHUNK] for i in range(0, len(names), CHUNK)]
    small = typical[0] * typical[1] <= 100 * 100
    if small and len(names) >= MANY and workers > 1 and can_fork():
        try:
            for found in by_processes(examiner, chunks, workers):
                yield from found
                done += 1
        except BrokenProcessPool:
            log.warning("a process that decodes images was ended; decoding the rest in this one")
        else:
            return
    with ThreadPoolExecutor(1 if small else workers) as pool:
        for found in in_order(pool, examiner, chunks[done:], AHEAD * workers):
            yield from found


def by_processes(
    examiner: Examiner, chunks: Sequence[Chunk], workers: int
) -> Iterator[list[Examined]]:
    """Yields the results of forked processes, which ignore signals and end with this one."""
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, context, partial(start_worker, 0))
    try:
        with signals_blocked():
            pool.submit(os.getpid)  # starts all
        yield from in_order(pool, examiner, chunks, AHEAD * workers)
    finally:
        pool.shutdown(cancel_futures=True)


def in_order(
    pool: Executor, action: Callable[[Chunk], list[Examined]], chunks: Sequence[Chunk], ahead: int
) -> Iterator[list[Examined]]:
    """Yields the results of all chunks in their order; few of them are in memory at a time."""
    running = deque[Future[list[Examined]]]()
    try:
        for chunk in chunks:
            running.append(pool.submit(action, chunk))
            if len(running) >= ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for left in running:
            left.cancel()


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Whether this process may have forked children that decode."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon
