"""Decodes image files to pixels of a given mode and size."""

import io
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.data.files.damage import check_damage
from gan_cli.data.files.depth import check_range, eight_bits
from gan_cli.utils.free_memory import CPU, check_free

Resize = Literal["none", "crop", "stretch", "pad"]


@dataclass(frozen=True)
class Shape:
    """The shape that images are converted to."""

    channels: int
    size: tuple[int, int] | None  # height, width; None: those of the first readable image
    resize: Resize
    nearest: bool = False  # resizing takes the nearest pixel, as numbers of classes need


MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # channels -> Pillow's mode
# What Pillow decodes by itself. Not EPS and the like, which start other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "JPEG2000", "PPM", "TGA")
CRYPTIC = ("decoder error", "could not create decoder")  # what Pillow says of damaged files
FILTER = Image.Resampling.LANCZOS  # antialiased, as in StyleGAN3's dataset_tool.py

# About odd metadata, which do no harm, and about damage, which is reported as an error.
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_image(data: bytes, channels: int) -> Image.Image:
    """Decodes an image file in mode L, RGB or RGBA, rotated according to its EXIF data.

    Transparent pixels are composited over white unless `channels` is 4, since their colour is
    often arbitrary. 16-bit gray values are scaled to 8 bits. Of several frames or pages the first
    is read. All errors of Pillow are passed on.
    """
    image = upright(data)
    if image.mode.startswith("I"):  # 16-bit gray: "I;16", or "I" in Pillow 10
        image = eight_bits(image)
    if image.mode == "LAB":  # which Pillow converts to RGB alone
        image = image.convert("RGB")
    key = image.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:  # of 16-bit RGB, whose high bytes are read
        image.info["transparency"] = tuple(value >> 8 for value in key)
    if image.mode in ("LA", "PA", "RGBA") or key is not None:
        image = image.convert("RGBA")
        if channels != 4:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
    mode = MODES[channels]
    return image if image.mode == mode else image.convert(mode)


def upright(data: bytes) -> Image.Image:
    """Decodes an image file in the mode that it has, rotated according to its EXIF data."""
    image = decoded(data)
    check_range(image)
    check_damage(data, image)
    ImageOps.exif_transpose(image, in_place=True)
    return image


def decoded(data: bytes) -> Image.Image:
    """Opens and decodes an image file; ValueError if it is none, or too large."""
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=readable_formats())
        image.load()  # Image.open reads the header only; a truncated file fails here
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ValueError(f"more than {most:,} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise ValueError("not an image that can be read") from None
    except OSError as error:
        if str(error).startswith(CRYPTIC):
            raise ValueError(f"image file is damaged ({error})") from error
        raise
    return image


@cache
def readable_formats() -> list[str]:
    """The formats of FORMATS that this Pillow can decode."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


@cache
def image_suffixes() -> tuple[str, ...]:
    """Suffixes of the files that `read_image` decodes, in lower case."""
    known = Image.registered_extensions() if readable_formats() else {}
    return tuple(sorted(suffix for suffix, name in known.items() if name in readable_formats()))


def fit(
    image: Image.Image, height: int, width: int, resize: Resize, nearest: bool = False
) -> Image.Image:
    """Resizes the image to height x width; with `nearest` no new values arise.

    "crop" resamples the largest centred part of this aspect ratio, "stretch" the whole image. "pad"
    shrinks the image if it is too large, never enlarges it, and surrounds it with zeros.
    """
    target = (width, height)
    kernel = Image.Resampling.NEAREST if nearest else FILTER
    if image.size == target:
        return image
    if resize == "crop":
        return ImageOps.fit(image, target, kernel)
    if resize == "stretch":
        return image.resize(target, kernel)
    assert resize == "pad", "images of another size need a resize policy"
    scale = min(1.0, width / image.width, height / image.height)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new(image.mode, target)
    corner = ((width - inner[0]) // 2, (height - inner[1]) // 2)
    canvas.paste(image if inner == image.size else image.resize(inner, kernel), corner)
    return canvas


def to_array(image: Image.Image) -> np.ndarray:
    """uint8 pixels (C, H, W), read-only."""
    pixels = np.asarray(image)  # (H, W) or (H, W, C)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def to_tensor(image: Image.Image) -> Tensor:
    """uint8 pixels (C, H, W)."""
    return torch.from_numpy(to_array(image).copy())


def square(size: int) -> tuple[int, int]:
    """`dataset.size` as height and width."""
    if size < 1:
        raise ConfigError(f"dataset.size: {size} is no size in pixels; type 1 or more")
    return size, size


def fit_all(images: Tensor, size: int | None, resize: Resize) -> Tensor:
    """Resizes uint8 images (N, C, H, W) to size x size; None returns them unchanged."""
    height, width = images.shape[2:]
    if size is None or (height, width) == square(size):
        return images
    total = len(images) * images.shape[1] * size * size
    check_free(total, CPU, f"dataset.size: {len(images):,} images", "type a smaller dataset.size")
    if resize == "pad" and max(height, width) <= size:
        left, top = (size - width) // 2, (size - height) // 2
        return F.pad(images, (left, size - width - left, top, size - height - top))
    fitted = torch.empty((*images.shape[:2], size, size), dtype=torch.uint8)
    for slot, pixels in zip(fitted, images, strict=True):
        gray = len(pixels) == 1
        image = Image.fromarray((pixels[0] if gray else pixels.permute(1, 2, 0)).numpy())
        slot.copy_(to_tensor(fit(image, size, size, resize)))
    return fitted
