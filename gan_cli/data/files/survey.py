"""Decodes every image once before training, and records errors, sizes and pixels."""

import logging
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from gan_cli.config.registry import ConfigError
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import Resize, fit, read_image, to_array
from gan_cli.data.files.unreadable import reason

MIN_SIZE = 8  # pixels per side; smaller images are icons rather than training images
KEPT_BYTES = 2 * 2**30  # of decoded pixels; images of larger sets are decoded at every access
CHUNK = 64  # images per task
LISTED = 20  # broken images that an error lists

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shape:
    """The shape that images are converted to."""

    channels: int
    size: tuple[int, int] | None  # height, width; None: those of the first readable image
    resize: Resize


@dataclass
class Survey:
    """Sizes, errors and pixels of all images."""

    size: tuple[int, int]  # height, width of the converted images
    broken: dict[str, str]  # image -> error
    found: dict[str, tuple[int, int]]  # image -> height, width of its file, if readable
    checksums: dict[str, int]  # image -> CRC-32 of its file, if readable
    pixels: np.ndarray | None  # uint8 (N, C, H, W), zeros where broken; None: more than KEPT_BYTES


def survey(archive: Archive, images: list[str], shape: Shape) -> Survey:
    """Decodes every image once."""
    first = first_size(archive, images, shape.channels)
    size = shape.size or first
    pixels = None
    if len(images) * shape.channels * size[0] * size[1] <= KEPT_BYTES:
        pixels = np.zeros((len(images), shape.channels, *size), np.uint8)
    result = Survey(size, {}, {}, {}, pixels)
    log.info("reading %d images", len(images))

    def look(positions: Iterable[int]) -> None:
        for position in positions:
            examine(archive, images[position], shape, result, position)

    # Pillow decodes without the interpreter lock, but for images below about 100 x 100 pixels the
    # work that needs the lock dominates, and a second thread takes 1.5 times as long.
    threads = min(os.cpu_count() or 1, 16) if first[0] * first[1] > 100 * 100 else 1
    chunks = [range(i, min(i + CHUNK, len(images))) for i in range(0, len(images), CHUNK)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(look, chunks))
    return result


def first_size(archive: Archive, images: list[str], channels: int) -> tuple[int, int]:
    """Height and width of the first image that can be decoded."""
    for name in images:
        try:
            image = read_image(archive.read(name), channels)
        except Exception:  # reported by `examine`
            continue
        if min(image.size) >= MIN_SIZE:
            return image.height, image.width
    return MIN_SIZE, MIN_SIZE  # if there is none, all images are reported as broken


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
    else:
        size = result.found[name] = (image.height, image.width)
        result.checksums[name] = zlib.crc32(data)
        if result.pixels is not None and (shape.resize != "none" or size == result.size):
            result.pixels[position] = to_array(fit(image, *result.size, shape.resize))


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
