"""Decodes every image once before training, and records errors, sizes and pixels."""

import logging
import os
import zlib
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.data.files import survey_cache
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import Shape, fit, read_image, to_array
from gan_cli.data.files.survey_cache import CHANGED, Surveyed
from gan_cli.data.files.unreadable import reason

MIN_SIZE = 8  # pixels per side; smaller images are icons rather than training images
KEPT_BYTES = 2 * 2**30  # of decoded pixels; images of larger sets are decoded at every access
CHUNK = 64  # images per task
LISTED = 20  # broken images that an error lists

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
    passing: set[str] = field(default_factory=set)  # images whose errors may pass by themselves


def survey(archive: Archive, images: list[str], shape: Shape) -> Survey:
    """Decodes every image once, except those that an earlier start has read, if unchanged."""
    known, stamps = survey_cache.read(archive, shape), survey_cache.stamps_of(archive, images)
    rows = known.rows(images, stamps)
    first = first_size(archive, images, shape, known, rows)
    result = Survey(shape.size or first)
    if len(images) * shape.channels * result.size[0] * result.size[1] <= KEPT_BYTES:
        if known.pixels is None or known.pixels.shape[2:] != result.size:
            rows = torch.full_like(rows, CHANGED)
        result.pixels = known_pixels(known, rows, (shape.channels, *result.size))
    adopt(result, known, rows, images)
    changed = (rows == CHANGED).nonzero().flatten().tolist()
    if changed:
        unchanged = len(images) - len(changed)
        more = f"; {unchanged} others have not changed" if unchanged else ""
        log.info("reading %d images%s", len(changed), more)
        examine_all(archive, images, changed, shape, result, first)
    else:
        log.info("%d images, which have not changed since they were read", len(images))
    if changed or images != known.names:
        survey_cache.write(archive, shape, surveyed(result, images, stamps))
    return result


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


def surveyed(result: Survey, images: list[str], stamps: Tensor) -> Surveyed:
    """The result in the form of the cache."""
    settled = torch.tensor([name not in result.passing for name in images])
    return Surveyed(
        images,
        torch.where(settled[:, None], stamps, CHANGED),
        torch.tensor([result.found.get(name, (0, 0)) for name in images]),
        torch.tensor([result.checksums.get(name, 0) for name in images]),
        result.broken,
        None if result.pixels is None else torch.from_numpy(result.pixels),
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
        except Exception:  # reported by `examine`
            continue
        if min(image.size) >= MIN_SIZE:
            return image.height, image.width
    return MIN_SIZE, MIN_SIZE  # if there is none, all images are reported as broken


def examine_all(
    archive: Archive,
    images: list[str],
    positions: list[int],
    shape: Shape,
    result: Survey,
    first: tuple[int, int],
) -> None:
    """Decodes the images at `positions`; `first` is the size of a typical one."""

    def look(chunk: list[int]) -> None:
        for position in chunk:
            examine(archive, images[position], shape, result, position)

    # Pillow decodes without the interpreter lock, but for images below about 100 x 100 pixels the
    # work that needs the lock dominates, and a second thread takes 1.5 times as long.
    threads = min(os.cpu_count() or 1, 16) if first[0] * first[1] > 100 * 100 else 1
    chunks = [positions[i : i + CHUNK] for i in range(0, len(positions), CHUNK)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(look, chunks))


def examine(archive: Archive, name: str, shape: Shape, result: Survey, position: int) -> None:
    """Decodes one image and records the outcome in `result`."""
    try:
        data = archive.read(name)
        if not data:
            raise ValueError("empty file")
        image = read_image(data, shape.channels)
        if min(image.size) < MIN_SIZE:
            raise ValueError(f"only {image.width}x{image.height} pixels")
    except Exception as error:  # Pillow and zipfile raise many types for damaged files
        result.broken[name] = reason(error)
        if isinstance(error, MemoryError) or getattr(error, "errno", None):  # not of the content
            result.passing.add(name)
    else:
        size = result.found[name] = (image.height, image.width)
        result.checksums[name] = zlib.crc32(data)
        if result.pixels is not None and (shape.resize != "none" or size == result.size):
            result.pixels[position] = to_array(
                fit(image, *result.size, shape.resize, shape.nearest)
            )


def broken_images(broken: Mapping[str, str], total: int) -> str:
    """The error that lists broken images, with advice."""
    names = sorted(broken)
    lines = [f"    {name}: {broken[name]}" for name in names[:LISTED]]
    if len(names) > LISTED:
        lines.append(f"    and {len(names) - LISTED} more")
    advice = "type dataset.skip_broken=true to leave them out"
    if len(names) == total:
        advice = "no image is left"
    head = f"dataset.path: {len(names)} of {total} images cannot be used; {advice}:"
    return "\n".join([head, *lines])


def check_sizes(seen: Survey, shape: Shape) -> None:
    """Raises ConfigError if image sizes differ and there is no resize policy."""
    height, width = seen.size
    found = Counter(seen.found.values())
    if shape.resize == "none" and set(found) - {seen.size}:
        sizes = ", ".join(f"{n} of {w}x{h}" for (h, w), n in found.most_common(5))
        more = ", ..." if len(found) > 5 else ""
        want, add = "images of one size", f"dataset.size={min(map(min, found))} "
        if shape.size:
            want, add = f"images of {width}x{height}", ""
        raise ConfigError(
            f"dataset.resize: 'none' needs {want}, but there are {sizes}{more} (width x height); "
            f"type {add}dataset.resize=crop (or stretch, or pad)"
        )
    small = sum(n for (h, w), n in found.items() if h < height or w < width)
    if small and shape.resize != "pad":
        log.warning("enlarging %d images that are smaller than %dx%d", small, width, height)
