"""Pixels of more or other than 8 bits."""

import numpy as np
from PIL import Image, TiffImagePlugin

SAVE = "save it with 8 or 16 bits"
BITS, PHOTOMETRIC, FORMAT = 258, 262, 339  # tags of TIFF
WHITE_IS_ZERO, SIGNED = 0, 2


def check_range(image: Image.Image) -> None:
    """Raises ValueError if it is unknown which pixels are black and which are white."""
    if image.mode == "F":
        raise ValueError(f"floating-point pixels, whose range is unknown; {SAVE}")
    if SIGNED in several(tag(image, FORMAT, 1)):
        raise ValueError(f"pixels with a sign, whose range is unknown; {SAVE}")
    if image.mode == "I" and bits(image) == 32:
        raise ValueError(f"32-bit pixels, whose range is unknown; {SAVE}")


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit gray scaled to 8 bits; with an alpha channel if one gray value is transparent."""
    largest = 4095 if bits(image) == 12 else 65535
    wide = np.asarray(image).astype(np.int64).clip(0, largest)
    if tag(image, PHOTOMETRIC, 1) == WHITE_IS_ZERO:  # Pillow inverts these with 8 bits only
        wide = largest - wide
    gray = Image.fromarray(((wide * 510 + largest) // (2 * largest)).astype(np.uint8))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return gray
    alpha = np.where(wide == key, 0, 255).astype(np.uint8)
    return Image.merge("LA", [gray, Image.fromarray(alpha)])


def bits(image: Image.Image) -> int:
    """Bits of the largest channel of a TIFF file; 16 of other files."""
    return max(several(tag(image, BITS, 16)))


def tag(image: Image.Image, number: int, default: int) -> int | tuple[int, ...]:
    """The value of a tag of a TIFF file; `default` if it has none, and of other files."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return default
    found: int | tuple[int, ...] = image.tag_v2.get(number, default)
    return found


def several(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
