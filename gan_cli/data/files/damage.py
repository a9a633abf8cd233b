"""Damage that Pillow does not report: JPEG files that end early, PNG files with wrong checksums."""

import io
import zlib

import numpy as np
from PIL import Image

BLOCK = 8  # side of the blocks of a JPEG file, in pixels
SCAN, END = 0xDA, b"\xff\xd9"  # markers
EXTRA = bytes(range(17, 81))  # coded pixels that a complete scan does not need


def check_damage(data: bytes, image: Image.Image) -> None:
    """Raises ValueError if the pixels of a decoded image are not those that were saved."""
    if image.format == "PNG":
        check_png(data)
    elif image.format in ("JPEG", "MPO"):
        check_jpeg(data, image)


def check_png(data: bytes) -> None:
    """Compares the checksums of the pixels, which Pillow skips."""
    place = 8  # after the signature
    while place + 12 <= len(data):
        end = place + 8 + number(data[place : place + 4])
        pixels = data[place + 4 : end]  # with the type of the chunk
        checksum = data[end : end + 4]
        if pixels[:4] == b"IDAT" and len(checksum) == 4 and zlib.crc32(pixels) != number(checksum):
            raise ValueError("image file is damaged (wrong checksum)")
        place = end + 4


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def check_jpeg(data: bytes, image: Image.Image) -> None:
    """Looks for the end marker, and for pixels in front of it that are missing."""
    end = data.find(END, scan_start(data))
    if end < 0 or (ends_gray(image) and ends_early(data, end)):
        raise ValueError("image file is truncated, and its end would be gray or noise")


def ends_gray(image: Image.Image) -> bool:
    """Whether the last block is medium gray, as libjpeg makes blocks that are missing."""
    width, height = image.size
    corner = image.crop((max(0, width - BLOCK), max(0, height - BLOCK), width, height))
    return set(np.unique(np.asarray(corner))) <= {127, 128}


def ends_early(data: bytes, end: int) -> bool:
    """Whether a JPEG file has fewer coded pixels than the image.

    If it has, more of them in front of the end marker change the image.
    """
    try:
        with Image.open(io.BytesIO(data[:end] + EXTRA + data[end:])) as longer:
            changed = np.asarray(longer)
    except OSError:
        return True
    with Image.open(io.BytesIO(data)) as image:
        return not np.array_equal(np.asarray(image), changed)


def scan_start(data: bytes) -> int:
    """The place of the first coded pixels of a JPEG file, behind a preview in its metadata."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # padding
            place += 1
            continue
        place += 2 + number(data[place + 2 : place + 4])
        if marker == SCAN:
            return place
    return 0
