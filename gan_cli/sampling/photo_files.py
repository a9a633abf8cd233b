"""Files of the outputs of photos: their names, and what each format can hold."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from gan_cli.utils.files import atomic_file
from gan_cli.utils.images import LARGE
from gan_cli.utils.video import SUFFIXES

PNG = ".png"
FRAMES = ".frames"  # of a folder of PNG files
LOSSY = {"quality": 95}
SAVING: dict[str, dict[str, Any]] = {
    "JPEG": {**LOSSY, "subsampling": 0},  # colours are as fine as brightness
    "WEBP": LOSSY,
    "AVIF": LOSSY,
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "PNG": {"compress_level": 6},
}
TRANSPARENT = frozenset({"PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "TGA"})
PROFILED = frozenset({"PNG", "JPEG", "WEBP", "TIFF", "AVIF"})  # hold ICC profiles
SIDES = {"WEBP": 16_383, "JPEG": 65_500, "GIF": 65_535, "AVIF": 65_536}  # most pixels
PLAIN = {".pbm": (), ".pgm": (1,), ".ppm": (1, 3), ".pnm": (1, 3)}  # channels that programs expect


def kept_suffix(suffix: str, pixels: np.ndarray, profile: bytes | None) -> str:
    """Returns the suffix if its format holds the pixels (H, W, C) and the profile, else .png."""
    name, channels = Image.registered_extensions().get(suffix.lower(), ""), pixels.shape[2]
    held = name in Image.SAVE
    held &= channels in (1, 3) or name in TRANSPARENT
    held &= profile is None or channels < 3 or name in PROFILED
    held &= max(pixels.shape[:2]) <= SIDES.get(name, 2**31 - 1)
    held &= channels in PLAIN.get(suffix.lower(), (channels,))
    return suffix if held else PNG


def save_photo(path: Path, pixels: np.ndarray, profile: bytes | None) -> None:
    """Writes (H, W, C) uint8, gray, RGB or either with alpha, in the format of the suffix."""
    image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels)
    name = Image.registered_extensions()[path.suffix.lower()]
    options = dict(SAVING.get(name, {}))
    if name == "PNG" and image.width * image.height > LARGE:
        options["compress_level"] = 1
    if name in PROFILED and pixels.shape[2] >= 3:
        options["icc_profile"] = profile
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, durable=False) as file:
        image.save(file, name, **options)


class OutputNames:
    """Names of outputs in the same sub-folders as their inputs, none of them twice.

    With `kept`, names stay what they are wherever the suffix does. Otherwise those of photos that
    differ in the suffix alone keep it, as in photo.jpg.png. None becomes the file `taken`.
    """

    def __init__(self, names: Sequence[str], taken: str = "", kept: bool = False) -> None:
        self.kept, self.given = kept, {name.lower() for name in names} if kept else set()
        self.used = {taken.lower()}
        self.times = Counter(map(place, names))

    def of(self, name: str, suffix: str) -> str:
        """Returns the name of the output of `name` in the format of the suffix."""
        for found in self.possible(name, suffix):
            lower = found.lower()
            if lower not in self.used and (found == name or lower not in self.given):
                self.used.add(lower)
                return found
        raise AssertionError("there are endless names")

    def possible(self, name: str, suffix: str) -> Iterator[str]:
        if suffix == FRAMES:  # a folder, whose name no input has
            yield f"{name}{suffix}"
        elif self.times[place(name)] == 1 or (self.kept and name.endswith(suffix)):
            yield f"{stem(name)}{suffix}"
        yield f"{name}{suffix}"
        yield from (f"{name}-{number}{suffix}" for number in count(2))


def place(name: str) -> tuple[str, bool]:
    """What an output takes: a name without suffix, and whether it is a video."""
    return stem(name).lower(), name.lower().endswith(SUFFIXES)


def stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
