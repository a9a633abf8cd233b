"""Animations, GIF and the like: read and written frame by frame by Pillow."""

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image

from gan_cli.utils.video import UNKNOWN, Clip, Frame

FORMATS = ("GIF", "WEBP", "PNG", "AVIF")  # which hold animations; several pages of a TIFF are none
ANIMATED = (".gif", ".webp", ".png", ".apng", ".avif")  # suffixes of these
STILL = Fraction(1, 10)  # seconds, of frames that have no duration, as browsers show them
TICK = Fraction(1, 1000)
CENTI = 100  # hundredths of a second, the unit of GIF files
LEAST = 2  # of which a frame must last, or browsers show it for ten
COLOURS = 255  # of a frame; the last entry of its palette is transparent


def animation(data: bytes) -> Clip | None:
    """The frames of an image file that has several, None of other files."""
    Image.init()
    try:
        formats = [name for name in FORMATS if name in Image.OPEN]
        image = Image.open(io.BytesIO(data), formats=formats)
        count = getattr(image, "n_frames", 1)
    except Exception:  # Pillow raises many types for damaged files, which are read as photos next
        return None
    if count < 2:
        return None
    length = duration(image)
    return Clip(frames(image, count), count, 1 / length, TICK, {"colorspace": UNKNOWN})


def frames(image: Image.Image, count: int) -> Iterator[Frame]:
    stop = Fraction(0)
    for number in range(count):
        image.seek(number)
        pixels = np.asarray(image.convert("RGBA"))
        start, stop = stop, stop + duration(image)
        yield Frame(pixels if (pixels[..., 3] < 255).any() else pixels[..., :3], start, stop)


def duration(image: Image.Image) -> Fraction:
    """Seconds that the frame is shown, of which a file has milliseconds."""
    image.load()
    return Fraction(image.info.get("duration") or 0).limit_denominator(1000) / 1000 or STILL


class GifWriter:
    """Writes frames to an open file, each with a palette of its own; the clip repeats without end.

    Frames that would be shown for less than browsers allow are left out.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.time, self.begun = file, 0, False  # time in hundredths of a second

    def add(self, frame: Frame) -> None:
        length = round(frame.stop * CENTI) - self.time
        if length < LEAST:
            return
        picture = indexed(frame.pixels)
        shown = {"transparency": COLOURS, "disposal": 2, "duration": length * 1000 // CENTI}
        if not self.begun:
            parts, _ = GifImagePlugin.getheader(picture, info={"loop": 0, **shown})
            self.file.writelines(parts)
            self.begun = True
        parts = GifImagePlugin.getdata(picture, (0, 0), include_color_table=True, **shown)
        self.file.writelines(parts)
        self.time += length

    def close(self) -> None:
        self.file.write(b";")


def indexed(pixels: np.ndarray) -> Image.Image:
    """An image (H, W, C) of at most COLOURS colours, and transparent where it mostly is."""
    gray = pixels.shape[2] == 1
    image = Image.fromarray(pixels[..., 0] if gray else np.ascontiguousarray(pixels[..., :3]))
    picture = image.convert("RGB").quantize(COLOURS)
    numbers, palette = np.array(picture), (picture.getpalette() or [])[: 3 * COLOURS]
    if pixels.shape[2] == 4:
        numbers[pixels[..., 3] < 128] = COLOURS
    result = Image.fromarray(numbers)
    result.putpalette(palette + [0] * (768 - len(palette)))
    return result
