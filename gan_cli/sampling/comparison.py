"""A sheet of photos before and after: the input, its bicubic enlargement, and the output."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from gan_cli.utils.bicubic import resized

SHOWN = 8  # photos on a sheet
SIDE = 256  # pixels per side of each picture
GAP = 2

Part = tuple[np.ndarray, ...]  # pictures (height, width, 3), side by side


def part(given: np.ndarray, made: np.ndarray, factor: int) -> Part:
    """Returns a row: the middle of an enlarged photo at full size, or the whole photo smaller."""
    if factor == 1:
        return tuple(shrunk(rgb(image)) for image in (given, made))
    side = SIDE // factor
    height, width = given.shape[:2]
    top, left = max(height - side, 0) // 2, max(width - side, 0) // 2
    small = given[top : top + side, left : left + side]
    rows, columns = (n * factor for n in small.shape[:2])
    nearest = small.repeat(factor, 0).repeat(factor, 1)
    output = made[top * factor : top * factor + rows, left * factor : left * factor + columns]
    bicubic = resized(small, (rows, columns))
    return tuple(rgb(image) for image in (nearest, bicubic, output))


def comparison(parts: Sequence[Part]) -> np.ndarray:
    """Returns all rows in one picture (height, width, 3), with black around smaller ones."""
    columns = max(map(len, parts))
    size = (len(parts) * (SIDE + GAP) - GAP, columns * (SIDE + GAP) - GAP)
    sheet = np.zeros((*size, 3), np.uint8)
    for i, pictures in enumerate(parts):
        for k, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            top, left = i * (SIDE + GAP), k * (SIDE + GAP)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def shrunk(image: np.ndarray) -> np.ndarray:
    """Returns an image (H, W, C) of at most SIDE pixels per side."""
    largest = max(image.shape[:2])
    if largest <= SIDE:
        return image
    size = [max(round(n * SIDE / largest), 1) for n in image.shape[:2]]
    return resized(image, size)


def rgb(image: np.ndarray) -> np.ndarray:
    """Returns images (H, W, C) in RGB; transparent ones over white, one-hot label maps as gray."""
    if image.shape[2] not in (1, 3, 4):
        image = (image.argmax(2)[..., None] * (255 // (image.shape[2] - 1))).astype(np.uint8)
    if image.shape[2] == 4:
        white = Image.new("RGBA", (image.shape[1], image.shape[0]), "white")
        image = np.array(Image.alpha_composite(white, Image.fromarray(image)))
    return np.broadcast_to(image[..., :3], (*image.shape[:2], 3))
