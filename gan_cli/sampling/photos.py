"""Photos in any format, with transparency, as arrays for a network and as files again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from gan_cli.data.files.archive import Archive, open_archive
from gan_cli.data.files.image import image_suffixes, read_image, upright
from gan_cli.data.files.image_names import image_names
from gan_cli.data.files.stamps import Stamp, stamp_of
from gan_cli.data.files.views import class_numbers
from gan_cli.data.files.zip_members import check_size
from gan_cli.utils.bicubic import resized
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.files import atomic_file
from gan_cli.utils.images import LARGE
from gan_cli.utils.paths import user_path


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
    """Returns the archive `input=given` and the names of its images; ConfigError if none."""
    path = user_path(given)
    try:
        if path.is_file() and path.suffix.lower() != ".zip":
            if path.suffix.lower() not in image_suffixes():
                readable = ", ".join(image_suffixes())
                raise ConfigError(f"input: {path.name} is no image; readable are {readable}")
            return OneFile(path), [path.name]
        archive = open_archive(given)
        return archive, image_names(archive, given)
    except ConfigError as error:
        raise ConfigError(*(f.replace("dataset.path", "input") for f in error.faults)) from None


def read_photo(data: bytes, channels: int) -> Photo:
    """Decodes an image file for a model of gray, RGB or RGBA images.

    Raises ValueError for colours if the model takes gray images; other errors are Pillow's.
    """
    image = read_image(data, 4)
    pixels, profile = np.array(image), image.info.get("icc_profile")
    if channels == 4:
        return Photo(pixels, None, profile)
    colours, alpha = pixels[..., :3], pixels[..., 3]
    if channels == 1:
        if (colours[..., :1] != colours[..., 1:]).any():
            raise ValueError("is in colour, and the model takes gray images; convert it to gray")
        colours, profile = colours[..., :1], None
    return Photo(np.ascontiguousarray(colours), alpha if (alpha < 255).any() else None, profile)


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


def save_photo(path: Path, pixels: np.ndarray, profile: bytes | None) -> None:
    """Writes (H, W, C) uint8, gray, RGB or either with alpha, as a PNG file."""
    image = Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels)
    profile = profile if pixels.shape[2] >= 3 else None
    large = image.width * image.height > LARGE
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, durable=False) as file:
        image.save(file, "png", compress_level=1 if large else 6, icc_profile=profile)


def output_names(names: Sequence[str], taken: str = "") -> list[str]:
    """Returns the file of each output: photo.png for photo.jpg, in the same sub-folders.

    Photos whose names differ in the suffix alone keep it, as in photo.jpg.png, and so does one
    whose output would be the file `taken`.
    """
    stems = [str(PurePosixPath(name).with_suffix("")) for name in names]
    times = Counter(stem.lower() for stem in [*stems, taken.removesuffix(".png")])
    return [
        f"{stem if times[stem.lower()] == 1 else name}.png"
        for name, stem in zip(names, stems, strict=True)
    ]
