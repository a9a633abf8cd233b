"""Image grids with the names of classes beside the rows, or below the images if there are many."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP = 2  # pixels between images, as in other grids
MOST_ROWS = 20  # classes that get rows of their own
LONGEST_ROW = 16  # images of a class that are not broken into several rows
LONGEST = 24  # characters of a name beside a row
LONGEST_BELOW = 12  # below an image
SMALLEST, LARGEST = 9, 14  # size of the letters in pixels


def named_grid(images: Tensor, names: Sequence[str], columns: int | None = None) -> np.ndarray:
    """Arranges uint8 images (N, C, H, W) with the name of the class of each, without overlap.

    The images are sorted by class, in the order in which classes appear first; each class begins a
    row. With more classes than MOST_ROWS, images keep their order and have their names below them.
    Returns a picture (height, width, C).
    """
    pixels = images.cpu().permute(0, 2, 3, 1).numpy()
    square = math.ceil(math.sqrt(len(pixels)))
    if len(set(names)) > MOST_ROWS:
        below = [cut(name, LONGEST_BELOW) for name in names]
        return captioned_images(pixels, below, columns or square)
    groups = {name: [i for i, other in enumerate(names) if other == name] for name in names}
    most = max(map(len, groups.values()))
    columns = columns or (most if most <= LONGEST_ROW else square)
    return named_rows(pixels, groups, min(columns, most))


def named_rows(pixels: np.ndarray, groups: dict[str, list[int]], columns: int) -> np.ndarray:
    """Rows of the images of each group, whose name stands to the left of its first row."""
    height, width, channels = pixels.shape[1:]
    texts = [text(cut(name, LONGEST), height, channels) for name in groups]
    margin = max(label.shape[1] for label in texts) + 2 * GAP
    pitch = max(height, *(label.shape[0] for label in texts)) + GAP
    rows = sum(math.ceil(len(group) / columns) for group in groups.values())
    size = (rows * pitch - GAP, margin + columns * (width + GAP) - GAP)
    sheet, top = background(*size, channels), 0
    for label, group in zip(texts, groups.values(), strict=True):
        place(sheet, label, top + (pitch - GAP - label.shape[0]) // 2, GAP)
        for i, index in enumerate(group):
            row, column = divmod(i, columns)
            place(sheet, pixels[index], top + row * pitch, margin + column * (width + GAP))
        top += math.ceil(len(group) / columns) * pitch
    return sheet


def captioned_images(pixels: np.ndarray, names: Sequence[str], columns: int) -> np.ndarray:
    """A grid of the images in their order, each above its name."""
    height, width, channels = pixels.shape[1:]
    texts = [text(name, height, channels) for name in names]
    across = max(width, *(label.shape[1] for label in texts)) + GAP
    down = height + max(label.shape[0] for label in texts) + GAP
    columns = min(columns, len(pixels))
    sheet = background(math.ceil(len(pixels) / columns) * down, columns * across, channels)
    for i, (image, label) in enumerate(zip(pixels, texts, strict=True)):
        top, left = (i // columns) * down, (i % columns) * across
        place(sheet, image, top, left + (across - width) // 2)
        place(sheet, label, top + height, left + (across - label.shape[1]) // 2)
    return sheet


def background(height: int, width: int, channels: int) -> np.ndarray:
    """A black picture, opaque if it has an alpha channel."""
    sheet = np.zeros((height, width, channels), np.uint8)
    if channels == 4:
        sheet[..., 3] = 255
    return sheet


def place(sheet: np.ndarray, picture: np.ndarray, top: int, left: int) -> None:
    sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture


def text(words: str, height: int, channels: int) -> np.ndarray:
    """White words on black for images of this height, (h, w, channels), cut to the letters' box."""
    font = letters(min(max(height - 2, SMALLEST), LARGEST))
    left, _, right, _ = font.getbbox(words)
    ascent, descent = font.getmetrics()
    mask = Image.new("L", (max(math.ceil(right - left), 1), ascent + descent))
    ImageDraw.Draw(mask).text((-left, 0), words, 255, font)
    gray = np.asarray(mask)[..., None]
    opaque = np.full_like(gray, 255)
    return np.concatenate([gray] * min(channels, 3) + [opaque] * (channels == 4), 2)


@cache
def letters(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which has Latin, Greek and Cyrillic letters and comes with matplotlib."""
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def cut(name: str, length: int) -> str:
    """A name on one line, with an ellipsis in place of what is too long."""
    line = " ".join(name.split()) or "-"
    return line if len(line) <= length else line[: length - 1] + "\u2026"
