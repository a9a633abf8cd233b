"""Photos of any sizes, decoded once: what is known of them, and where parts of them are read."""

import hashlib
import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gan_cli.data.files import store, survey_cache
from gan_cli.data.files.archive import Archive, FolderArchive
from gan_cli.data.files.examine import cores
from gan_cli.data.files.image import Shape, read_image
from gan_cli.data.files.rasters import ARRAY, Raster, array_raster, raster_of
from gan_cli.data.files.store import Wanted, wants_store
from gan_cli.data.files.survey import Survey, complete
from gan_cli.data.files.survey_cache import Surveyed, decoding
from gan_cli.data.files.unreadable import reason
from gan_cli.utils.errors import DataError, StorageError
from gan_cli.utils.files import sized_file

TYPICAL = (1000, 1000)  # pixels of a photo
log = logging.getLogger(__name__)


@dataclass
class Photos:
    """The readable images of an archive, in the order of their names."""

    names: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)  # height, width
    checksums: list[int] = field(default_factory=list)  # CRC-32 of the files
    rasters: list[Raster | None] = field(default_factory=list)  # where their pixels are read
    broken: dict[str, str] = field(default_factory=dict)
    before: Surveyed = field(default_factory=Surveyed)  # by an earlier start


def open_photos(archive: Archive, names: Sequence[str], channels: int) -> Photos:
    """Reads every image once, except those that an earlier start has read, if unchanged.

    Those that are not compressed have rasters.
    """
    images = [name for name in names if not name.lower().endswith(ARRAY)]
    shape = shape_of(channels)
    before, stamps = survey_cache.read(archive, shape), survey_cache.stamps_of(archive, images)
    found = Survey((0, 0))
    if images:
        complete(
            archive, images, shape, (before, before.rows(images, stamps), stamps), found, TYPICAL
        )
    photos = Photos(broken=found.broken, before=before)
    for name in names:
        try:
            raster = raster_in(archive, name, channels)
            if name in found.broken and (raster is None or not raster.only_way):
                continue
            photos.broken.pop(name, None)
            size = found.found[name] if raster is None else raster.shape[:2]
            checksum = found.checksums[name] if name in found.found else crc32(archive, name)
        except (OSError, ValueError) as error:
            photos.broken[name] = reason(error)
            continue
        photos.names.append(name)
        photos.sizes.append((size[0], size[1]))
        photos.checksums.append(checksum)
        photos.rasters.append(raster)
    return photos


def shape_of(channels: int) -> Shape:
    return Shape(channels, None, "none")


def raster_in(archive: Archive, name: str, channels: int) -> Raster | None:
    """The pixels of a file of a folder that is not compressed."""
    path = Path(archive.where(name)) if isinstance(archive, FolderArchive) else None
    if name.lower().endswith(ARRAY):
        if path is None:
            raise ValueError("arrays are read from folders alone; unpack the archive")
        return array_raster(path, channels)
    return None if path is None else raster_of(path, channels)


def crc32(archive: Archive, name: str) -> int:
    """The CRC-32 of a file of any size."""
    checksum = 0
    with open(archive.where(name), "rb") as file:
        while part := file.read(2**20):
            checksum = zlib.crc32(part, checksum)
    return checksum


def store_photos(archive: Archive, photos: Photos, channels: int, wanted: Wanted) -> bool:
    """Sets rasters of a file of decoded images in the cache, which is made if it is missing.

    Returns False if `wanted`, dataset.store, says or leads to another way. Raises StorageError if
    there has to be one and cannot.
    """
    places = [i for i, raster in enumerate(photos.rasters) if raster is None]
    names, shape = [photos.names[i] for i in places], shape_of(channels)
    shapes = [(*photos.sizes[i], channels) for i in places]
    total = sum(map(int, np.prod(shapes, axis=1))) if shapes else 0
    if not names:
        return True
    if wanted is False or (wanted == "auto" and total <= store.LEAST):
        return False
    try:
        path = store_path(photos, places, shape)
        if not is_whole(path, total):
            if not wants_store(archive, names, shape, (0, 0), wanted, total):
                return False
            with store.alone():
                if not is_whole(path, total):
                    decode_all(archive, photos, places, channels, path, total)
                    remove_old(photos, shape, path)
    except (StorageError, RuntimeError) as error:
        if wanted is True:
            raise error if isinstance(error, StorageError) else StorageError(str(error)) from None
        log.warning("decoding photos for every patch anew: %s", error)
        return False
    offset = 0
    for i, one in zip(places, shapes, strict=True):
        photos.rasters[i] = Raster(str(path), offset, one, one[1] * channels)
        offset += int(np.prod(one))
    return True


def store_path(photos: Photos, places: Sequence[int], shape: Shape) -> Path:
    known = [(photos.names[i], photos.checksums[i]) for i in places]
    return path_of(known, shape)


def path_of(known: Sequence[tuple[str, int]], shape: Shape) -> Path:
    """The file of these images; its name depends on all that it holds."""
    text = json.dumps([decoding(shape), "rows of pixels", known], sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return store.folder() / f"{digest}.rows"


def is_whole(path: Path, total: int) -> bool:
    return path.is_file() and path.stat().st_size == total


def decode_all(
    archive: Archive, photos: Photos, places: Sequence[int], channels: int, path: Path, total: int
) -> None:
    """Decodes images into a file, one after the other."""
    with sized_file(path.parent, total) as (temporary, settle):
        pixels, start = np.memmap(temporary, np.uint8, "r+"), 0
        for i, image in zip(places, decoded(archive, photos, places, channels), strict=True):
            if image.shape[:2] != photos.sizes[i]:
                raise DataError(f"{archive.where(photos.names[i])} has changed since it was read")
            pixels[start : start + image.size] = image.reshape(-1)
            start += image.size
        pixels.flush()
        settle(path)


def decoded(
    archive: Archive, photos: Photos, places: Sequence[int], channels: int
) -> Iterator[np.ndarray]:
    """Yields images (H, W, C) uint8, decoded on all cores; as many as these are held at a time."""

    def decode(i: int) -> np.ndarray:
        image = read_image(archive.read(photos.names[i]), channels)
        return np.asarray(image).reshape(image.height, image.width, channels)

    workers = cores()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(places), workers):
            yield from pool.map(decode, places[start : start + workers])


def remove_old(photos: Photos, shape: Shape, path: Path) -> None:
    """Removes the file of the images as they were before some of them changed."""
    rasters = zip(photos.names, photos.rasters, strict=True)
    others = {*photos.before.broken, *(name for name, raster in rasters if raster is not None)}
    sums = zip(photos.before.names, photos.before.checksums.tolist(), strict=True)
    known = [(name, checksum) for name, checksum in sums if name not in others]
    old = path_of(known, shape)
    if known and old != path:
        old.unlink(missing_ok=True)
