"""Images whose pixels lie uncompressed in a file, of which parts are read alone."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.data.files.image import MODES
from gan_cli.data.files.stamps import Stamp, stamp_of
from gan_cli.data.files.zip_members import LARGEST
from gan_cli.utils.errors import DataError

FORMATS = ("TIFF", "BMP", "PPM")
SUFFIXES = (".tif", ".tiff", ".bmp", ".dib", ".ppm", ".pgm", ".pnm")  # others are not opened
ORDERS = {"L": False, "RGB": False, "BGR": True}  # Pillow's raw mode -> whether blue comes first
ORIENTATION = 0x0112  # tag of EXIF
ARRAY = ".npy"  # suffix of arrays of NumPy


@dataclass(frozen=True)
class Raster:
    """Pixels (H, W, C) uint8 in a file, row by row."""

    path: str
    offset: int  # of the first row in the file
    shape: tuple[int, int, int]
    stride: int  # bytes from a row to the next in the file
    upward: bool = False  # whether the first row in the file is the lowest
    blue_first: bool = False
    stamp: Stamp | None = None  # of the file, if it is not the program's own

    @property
    def only_way(self) -> bool:
        """Whether the file is larger than those that are read as a whole."""
        return self.stamp is not None and self.stamp[0] > LARGEST

    def cut(self, top: int, left: int, height: int, width: int) -> Tensor:
        """Returns a part (C, height, width); DataError if the file has changed or is gone."""
        rows, _, channels = self.shape
        first = rows - top - height if self.upward else top
        length = (height - 1) * self.stride + width * channels
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.offset + first * self.stride + left * channels)
                data = file.read(length)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read any more ({error.strerror})") from error
        if len(data) < length or (self.stamp is not None and stamp_of(self.path) != self.stamp):
            raise DataError(f"{self.path} has changed since it was first read")
        pixels: Any = np.ndarray(
            (height, width, channels), np.uint8, data, strides=(self.stride, channels, 1)
        )
        pixels = pixels[::-1] if self.upward else pixels
        pixels = pixels[..., ::-1] if self.blue_first else pixels
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def raster_of(path: Path, channels: int) -> Raster | None:
    """The pixels of an uncompressed TIFF, BMP or PPM file of 8 bits; None of other files.

    They are those that `read_image` returns.
    """
    if path.suffix.lower() not in SUFFIXES:
        return None
    stamp = stamp_of(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            kept = image.mode == MODES[channels] and "transparency" not in image.info
            if not kept or image.getexif().get(ORIENTATION, 1) != 1:
                return None
            tiles: list[Any] = image.tile
            width, height = image.size
    except Exception:  # Pillow raises many types; the file is decoded and reported as a whole
        return None
    found = [strip(tile, width, channels) for tile in tiles]
    first = found[0] if found else None
    if first is None or (first.upward and len(found) > 1):
        return None
    for tile, one in zip(tiles, found, strict=True):
        if one != first._replace(offset=first.offset + tile[1][1] * first.stride):
            return None
    shape = (height, width, channels)
    if stamp[0] < first.offset + (height - 1) * first.stride + width * channels:  # truncated
        return None
    return Raster(str(path), first.offset, shape, first.stride, first.upward, first.blue, stamp)


class Strip(NamedTuple):
    """Some rows of an image in a file."""

    offset: int
    stride: int
    upward: bool
    blue: bool


def strip(tile: Any, width: int, channels: int) -> Strip | None:
    """What Pillow says of a tile, if it has whole rows as they are."""
    codec, (left, _, right, _), offset, given = tile
    mode, stride, way = (*((given,) if isinstance(given, str) else given), 0, 1)[:3]
    if codec != "raw" or mode not in ORDERS or (left, right) != (0, width):
        return None
    return Strip(offset, stride or width * channels, way < 0, ORDERS[mode])


def array_raster(path: Path, channels: int) -> Raster:
    """The pixels of a .npy file, (H, W) or (H, W, C) uint8; ValueError for other arrays."""
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        read: Any = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
        shape, fortran, dtype = read(file)
        offset = file.tell()
    found = (*shape, 1) if len(shape) == 2 else tuple(shape)
    if dtype != np.uint8 or fortran or len(found) != 3 or found[2] != channels:
        raise ValueError(f"an array of {dtype} {shape}, not of uint8 (height, width, {channels})")
    stride = found[1] * channels
    if path.stat().st_size < offset + found[0] * stride:
        raise ValueError("array file is truncated")
    return Raster(str(path), offset, found, stride, stamp=stamp_of(path))


def from_array(data: bytes) -> Tensor:
    """The pixels (C, H, W) of a .npy file, whose header `array_raster` has checked."""
    array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    pixels = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
