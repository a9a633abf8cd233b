"""Decodes every image once before training, and records errors, sizes and pixels."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.files import store, survey_cache
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.examine import MIN_SIZE, Examined, Examiner, examine_all
from gan_cli.data.files.image import Shape, read_image
from gan_cli.data.files.store import Stored, Wanted, wants_store
from gan_cli.data.files.survey_cache import CHANGED, Surveyed
from gan_cli.utils.errors import StorageError

KEPT_BYTES = 2 * 2**30  # of decoded pixels; images of larger sets are decoded at every access
Size = tuple[int, int]  # height, width
Seen = tuple[Surveyed, Tensor, Tensor]  # an earlier survey, the rows of the images in it, stamps

log = logging.getLogger(__name__)


@dataclass
class Survey:
    """Sizes, errors and pixels of all images."""

    size: tuple[int, int]  # height, width of the converted images
    broken: dict[str, str] = field(default_factory=dict)  # image -> error
    found: dict[str, tuple[int, int]] = field(default_factory=dict)
    # image -> height, width of its file, if readable
    checksums: dict[str, int] = field(default_factory=dict)
    # image -> CRC-32 of its file, if readable
    pixels: np.ndarray | None = None
    # uint8 (N, C, H, W), zeros where broken; None: more than KEPT_BYTES
    stored: Stored | None = None  # the same in a file
    passing: set[str] = field(default_factory=set)  # images whose errors may pass by themselves


def survey(
    archive: Archive, images: list[str], shape: Shape, wanted: Wanted = False, alone: bool = False
) -> Survey:
    """Decodes every image once, except those that an earlier start has read, if unchanged.

    `wanted` is dataset.store; `alone` means that no other process stores images meanwhile.
    """
    known, stamps = survey_cache.read(archive, shape), survey_cache.stamps_of(archive, images)
    rows = known.rows(images, stamps)
    first = first_size(archive, images, shape, known, rows)
    result = Survey(shape.size or first)
    in_memory = len(images) * shape.channels * result.size[0] * result.size[1] <= KEPT_BYTES
    if wanted is not False and (wanted is True or not in_memory):
        if (found := unchanged_store(known, images, rows, shape, result.size)) is not None:
            result.stored = found
        elif wants_store(archive, images, shape, result.size, wanted):
            if alone:
                return stored_survey(archive, images, shape, (known, rows, stamps), result, first)
            try:
                with store.alone():
                    return survey(archive, images, shape, wanted, alone=True)
            except StorageError as error:
                if wanted is True:
                    raise
                log.warning("decoding images for every batch anew: %s", error)
                return survey(archive, images, shape)
    elif in_memory:
        if known.pixels is None or known.pixels.shape[2:] != result.size:
            rows = torch.full_like(rows, CHANGED)
        result.pixels = known_pixels(known, rows, (shape.channels, *result.size))
    complete(archive, images, shape, (known, rows, stamps), result, first)
    return result


def unchanged_store(
    known: Surveyed, images: list[str], rows: Tensor, shape: Shape, size: tuple[int, int]
) -> Stored | None:
    """The stored images of an earlier start, if no file has changed since."""
    if images != known.names or (rows == CHANGED).any():
        return None
    with suppress(RuntimeError):
        found = store.stored(known, shape, size)
        return found if found.is_whole else None
    return None


def stored_survey(
    archive: Archive, images: list[str], shape: Shape, seen: Seen, result: Survey, first: Size
) -> Survey:
    """Decodes the images into a file, which replaces an earlier one, whose images are copied."""
    known, rows, stamps = seen
    old = store.stored(known, shape, result.size)
    if not old.is_whole:
        rows = torch.full_like(rows, CHANGED)
    target = replace(old, shape=(len(images), shape.channels, *result.size))
    with store.storing(target) as (pixels, keep):
        if (rows != CHANGED).any():
            store.copy_known(pixels, old.open(), rows)
        result.pixels = pixels
        complete(archive, images, shape, (known, rows, stamps), result, first)
        result.pixels = None
        if shape.resize != "none" or set(result.found.values()) <= {result.size}:
            now = store.stored(surveyed(result, images, stamps), shape, result.size)
            result.stored = keep(now)
    if old.is_whole and old != result.stored:
        old.path.unlink(missing_ok=True)
    return result


def complete(
    archive: Archive, images: list[str], shape: Shape, seen: Seen, result: Survey, first: Size
) -> None:
    """Adds what is known of the images to the result, reads the others, and remembers it all."""
    known, rows, stamps = seen
    adopt(result, known, rows, images)
    changed = (rows == CHANGED).nonzero().flatten().tolist()
    if changed:
        unchanged = len(images) - len(changed)
        more = f"; {unchanged} others have not changed" if unchanged else ""
        log.info("reading %d images%s", len(changed), more)
        size = None if result.pixels is None else result.size
        examiner, names = Examiner(archive, shape, size), [images[i] for i in changed]
        for position, found in zip(changed, examine_all(examiner, names, first), strict=True):
            add(result, images[position], position, found)
    else:
        log.info("%d images, which have not changed since they were read", len(images))
    if changed or images != known.names:
        survey_cache.write(archive, shape, surveyed(result, images, stamps))


def known_pixels(known: Surveyed, rows: Tensor, shape: tuple[int, int, int]) -> np.ndarray:
    """Pixels (N, *shape) of the rows in `known`, zeros elsewhere."""
    if known.pixels is not None and torch.equal(rows, torch.arange(len(known.names))):
        return known.pixels.numpy()
    pixels, found = np.zeros((len(rows), *shape), np.uint8), (rows != CHANGED).numpy()
    if known.pixels is not None and found.any():
        pixels[found] = known.pixels.numpy()[rows.numpy()[found]]
    return pixels


def adopt(result: Survey, known: Surveyed, rows: Tensor, images: list[str]) -> None:
    """Adds sizes, checksums and errors of the images that have a row in `known`."""
    sizes, checksums = known.sizes.tolist(), known.checksums.tolist()
    for name, row in zip(images, rows.tolist(), strict=True):
        if row != CHANGED and name in known.broken:
            result.broken[name] = known.broken[name]
        elif row != CHANGED:
            result.found[name], result.checksums[name] = tuple(sizes[row]), checksums[row]


def add(result: Survey, name: str, position: int, found: Examined) -> None:
    """Adds what was found out about an image."""
    if found.error is not None:
        result.broken[name] = found.error
        if found.passing:
            result.passing.add(name)
        return
    result.found[name], result.checksums[name] = found.size, found.checksum
    if result.pixels is not None and found.pixels is not None:
        result.pixels[position] = found.pixels


def surveyed(result: Survey, images: list[str], stamps: Tensor) -> Surveyed:
    """The result in the form of the cache."""
    settled = torch.tensor([name not in result.passing for name in images])
    return Surveyed(
        images,
        torch.where(settled[:, None], stamps, CHANGED),
        torch.tensor([result.found.get(name, (0, 0)) for name in images]),
        torch.tensor([result.checksums.get(name, 0) for name in images]),
        result.broken,
        None
        if result.pixels is None or isinstance(result.pixels, np.memmap)
        else torch.from_numpy(result.pixels),
    )


def first_size(
    archive: Archive, images: list[str], shape: Shape, known: Surveyed, rows: Tensor
) -> tuple[int, int]:
    """Height and width of the first image that can be decoded.

    If `shape` has a size, that of any image will do, preferably one whose size is known.
    """
    readable = (rows != CHANGED) & (known.sizes[rows] > 0).all(1) if len(known.names) else rows[:0]
    if shape.size and readable.any():
        rows, images = rows[readable][:1], [images[int(readable.nonzero()[0])]]
    for name, row in zip(images, rows.tolist(), strict=True):
        if row != CHANGED and name in known.broken:
            continue
        if row != CHANGED:
            height, width = known.sizes[row].tolist()
            return height, width
        try:
            image = read_image(archive.read(name), shape.channels)
        except Exception:  # reported by `examine_all`
            continue
        if min(image.size) >= MIN_SIZE:
            return image.height, image.width
    return MIN_SIZE, MIN_SIZE  # if there is none, all images are reported as broken
