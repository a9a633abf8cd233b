"""Photos in any format, with transparency, as arrays for a network and as files again."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_cli.data.files.archive import Archive, open_archive
from gan_cli.data.files.image import image_suffixes, read_image, upright
from gan_cli.data.files.image_names import image_names
from gan_cli.data.files.stamps import Stamp, stamp_of
from gan_cli.data.files.views import class_numbers
from gan_cli.data.files.zip_members import check_size
from gan_cli.utils.bicubic import resized
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path
from gan_cli.utils.video import SUFFIXES as VIDEOS

OF_RGB = b"RGB "  # the colour space in the header of an ICC profile


@dataclass(frozen=True)
class Photo:
    """An image upright, as its EXIF orientation says."""

    colours: np.ndarray  # (H, W, C) uint8, with the channels that the model takes
    alpha: np.ndarray | None  # (H, W) uint8, if parts are transparent that the model does not see
    profile: bytes | None  # the ICC profile of its colours


class OneFile:
    """An archive of a single file."""

    def __init__(self, path: Path) -> None:
        self.path, self.names = path, [path.name]

    @property
    def source(self) -> str:
        return str(self.path)

    def stamp(self, name: str) -> Stamp:  # noqa: ARG002
        return stamp_of(str(self.path))

    def read(self, name: str) -> bytes:  # noqa: ARG002
        check_size(self.path.stat().st_size)
        return self.path.read_bytes()

    def where(self, name: str) -> str:  # noqa: ARG002
        return str(self.path)


def photos_of(given: str) -> tuple[Archive, list[str]]:
    """Returns the archive `input=given` and its images and videos by name; ConfigError if none."""
    path = user_path(given)
    try:
        if path.is_file() and path.suffix.lower() != ".zip":
            if path.suffix.lower() not in (*image_suffixes(), *VIDEOS):
                readable = ", ".join((*image_suffixes(), *VIDEOS))
                raise ConfigError(
                    f"input: {path.name} is no image and no video; readable are {readable}"
                )
            return OneFile(path), [path.name]
        archive = open_archive(given)
        return archive, image_names(archive, given, VIDEOS)
    except ConfigError as error:
        raise ConfigError(*(f.replace("dataset.path", "input") for f in error.faults)) from None


def read_photo(data: bytes, channels: int) -> Photo:
    """Decodes an image file for a model of gray, RGB or RGBA images.

    Raises ValueError for colours if the model takes gray images; other errors are Pillow's.
    """
    image = read_image(data, 4)
    profile = image.info.get("icc_profile")
    if profile is not None and profile[16:20] != OF_RGB:  # of CMYK, say, and no longer true
        profile = None
    return as_photo(np.array(image), channels, profile)


def as_photo(
    pixels: np.ndarray, channels: int, profile: bytes | None = None, tolerance: int = 0
) -> Photo:
    """Returns pixels (H, W, 3 or 4) as a model of gray, RGB or RGBA images takes them.

    Gray are pixels whose colours differ by `tolerance` at most; ValueError for others if the model
    takes gray images.
    """
    if channels == 4:
        opaque = np.full((*pixels.shape[:2], 4 - pixels.shape[2]), 255, np.uint8)
        return Photo(np.ascontiguousarray(np.dstack([pixels, opaque])), None, profile)
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    if channels == 1:
        if (colours.max(2).astype(np.int16) - colours.min(2) > tolerance).any():
            raise ValueError("is in colour, and the model takes gray images; convert it to gray")
        colours, profile = colours[..., 1:2], None
    transparent = alpha.size > 0 and bool((alpha < 255).any())
    return Photo(np.ascontiguousarray(colours), alpha[..., 0] if transparent else None, profile)


def read_label_map(data: bytes, classes: int) -> Photo:
    """Decodes a label map for a model of one-hot sources; ValueError if it is none."""
    numbers = class_numbers(upright(data), classes)
    one_hot = (numbers[..., None] == np.arange(classes)).astype(np.uint8) * 255
    return Photo(one_hot, None, None)


def with_alpha(colours: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Returns an output (H, W, C) with the transparency of its input, enlarged likewise."""
    if alpha is None or colours.shape[2] == 4:
        return colours
    return np.dstack([colours, resized(alpha, colours.shape[:2])])
