"""Decoded images in one file of the cache folder, from which batches are read: dataset.store."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import Shape, fit, read_image
from gan_cli.data.files.survey_cache import CHANGED, Surveyed, decoding
from gan_cli.utils import cache
from gan_cli.utils.errors import StorageError
from gan_cli.utils.files import sized_file
from gan_cli.utils.locks import waiting_lock
from gan_cli.utils.memory import as_size
from gan_cli.utils.storage import free_disk

Wanted = Literal["auto", True, False]
LEAST = 2 * 2**30  # bytes of decoded images, below which `auto` stores none
READING = 500e6  # bytes per second that are read from a disk
PROBES = 8  # images that are decoded to measure how long that takes
COPIED = 1000  # images copied at a time
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """A file of decoded images: uint8 of this shape (N, C, H, W)."""

    path: Path
    shape: tuple[int, int, int, int]

    def open(self) -> Tensor:
        """Maps the file into memory, whose pages the system reads and drops as needed."""
        flat = torch.from_file(str(self.path), False, math.prod(self.shape), dtype=torch.uint8)
        return flat.view(self.shape)

    @property
    def is_whole(self) -> bool:
        with suppress(OSError):
            return self.path.stat().st_size == math.prod(self.shape)
        return False


def folder() -> Path:
    """The folder of the files; raises RuntimeError for a user without a home."""
    return cache.folder() / "store"


def stored(known: Surveyed, shape: Shape, size: tuple[int, int]) -> Stored:
    """The file of these images, which need not exist; its name depends on all that it holds."""
    decoder = decoding(replace(shape, size=size))
    digest = hashlib.blake2b(json.dumps(decoder, sort_keys=True).encode(), digest_size=16)
    digest.update("\0".join(known.names).encode())
    digest.update(known.checksums.numpy().tobytes())
    path = folder() / f"{digest.hexdigest()}.u8"
    return Stored(path, (len(known.names), shape.channels, *size))


def wants_store(
    archive: Archive,
    images: list[str],
    shape: Shape,
    size: tuple[int, int],
    wanted: Wanted,
    total: int | None = None,
) -> bool:
    """Whether the images are to be stored; what `auto` decides, it logs with its reason.

    `total` are their bytes, if not all have the same size. Raises StorageError if they have to be
    stored and there is no room.
    """
    if total is None:
        total = len(images) * shape.channels * size[0] * size[1]
    if wanted is False or (wanted == "auto" and total <= LEAST):
        return False
    try:
        where, free = folder(), free_disk(folder())
    except RuntimeError as error:
        if wanted is True:
            raise StorageError(f"dataset.store: {error}; set GAN_CLI_CACHE to a folder") from None
        return False
    most = free if wanted is True else None if free is None else free // 2
    if most is not None and total > most:
        room = f"take {as_size(total)} decoded, and {as_size(free or 0)} are free in {where}"
        if wanted is True:
            raise StorageError(
                f"dataset.store: {len(images):,} images {room}; set GAN_CLI_CACHE to a folder on a "
                "larger disk, or type dataset.store=false"
            )
        log.info("decoding images for every batch anew: they %s", room)
        return False
    if wanted is True:
        return True
    decoding, reading = decoding_time(archive, images, shape, size), total / len(images) / READING
    faster = reading < decoding
    log.info(
        "%s: decoding one takes %.2g ms, and reading its pixels %.2g ms",
        f"keeping {as_size(total)} of decoded images in {where}"
        if faster
        else "decoding images for every batch anew",
        *(1000 * decoding, 1000 * reading),
    )
    return faster


def decoding_time(
    archive: Archive, images: list[str], shape: Shape, size: tuple[int, int]
) -> float:
    """Seconds that an image takes on one core, of a few that are spread over the data."""
    spent = []
    for name in images[:: -(-len(images) // PROBES)]:
        began = time.perf_counter()
        with suppress(Exception):  # a broken one is reported by the survey
            image = read_image(archive.read(name), shape.channels)
            if shape.resize != "none":
                fit(image, *size, shape.resize, shape.nearest)
            spent.append(time.perf_counter() - began)
    return sum(spent) / max(1, len(spent))


@contextmanager
def alone() -> Iterator[None]:
    """Context in which no other process decodes images into the folder; those who wait say so."""
    with waiting_lock(folder() / ".lock", "another process is decoding images; waiting for it"):
        yield


@contextmanager
def storing(target: Stored) -> Iterator[tuple[np.ndarray, Callable[[Stored], Stored]]]:
    """Yields pixels (N, C, H, W) to fill, and the function that moves them to their file.

    Nothing is left unless it is called. Raises StorageError if the disk is full, before anything
    is decoded.
    """
    with sized_file(target.path.parent, math.prod(target.shape)) as (temporary, settle):
        pixels = np.memmap(temporary, np.uint8, "r+", shape=target.shape)

        def keep(now: Stored) -> Stored:
            pixels.flush()
            settle(now.path)
            return now

        yield pixels, keep


def copy_known(pixels: np.ndarray, old: Tensor, rows: Tensor) -> None:
    """Copies the rows that are in `old`, a few at a time."""
    for start in range(0, len(rows), COPIED):
        part = rows[start : start + COPIED]
        found = (part != CHANGED).numpy()
        pixels[start : start + COPIED][found] = old[part[part != CHANGED]].numpy()
