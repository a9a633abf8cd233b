"""What image files say of themselves: their names, sizes and modes, and which are broken."""

import io
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL import Image

from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import readable_formats

ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)  # a tag of EXIF, and its values for quarter turns
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileFacts:
    """The image files of a data set, in its order."""

    names: list[str]
    sizes: list[tuple[int, int]]  # height, width, before the images are resized
    broken: dict[str, str]  # those that were left out, with the reason


@runtime_checkable
class HasFiles(Protocol):
    """A data set of image files."""

    files: FileFacts
    archive: Archive


def modes_of(archive: Archive, names: list[str]) -> Counter[str]:
    """How many files have each of Pillow's modes; only their headers are decoded."""
    found: Counter[str] = Counter()
    for name in names:
        try:
            with Image.open(io.BytesIO(archive.read(name)), formats=readable_formats()) as image:
                clear = image.mode not in TRANSPARENT and "transparency" in image.info
                found[image.mode + (", transparent" if clear else "")] += 1
        except Exception as error:  # Pillow raises many types; the survey has reported it
            log.debug("%s: %s", name, error)
    return found


def sizes_of(archive: Archive, names: list[str]) -> list[tuple[int, int]]:
    """Height and width of the readable files; only their headers are decoded."""
    found = []
    for name in names:
        try:
            with Image.open(io.BytesIO(archive.read(name)), formats=readable_formats()) as image:
                turned = image.getexif().get(ORIENTATION, 1) in SIDEWAYS
                found.append(image.size if turned else image.size[::-1])
        except Exception as error:  # Pillow raises many types; the survey will report it
            log.debug("%s: %s", name, error)
    return found
