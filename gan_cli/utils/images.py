"""Converts tensors in [-1, 1] to uint8 images, image grids and PNG files."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.utils.files import atomic_file


def to_uint8(images: Tensor) -> Tensor:
    """Maps [-1, 1] to 0..255, rounded and clamped: the inverse of x / 127.5 - 1."""
    # In one buffer: large images took twice as long with one for each operation.
    return (images.float() + 1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def grid(images: Tensor, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Arranges uint8 images (N, C, H, W) row by row in one picture (height, width, C).

    There are `gap` black pixels between neighbours; `columns` defaults to a square grid.
    """
    count, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap)
    sheet = np.zeros((*size, channels), np.uint8)
    for i, image in enumerate(images.cpu().permute(0, 2, 3, 1).numpy()):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


LARGE = 1_000_000  # pixels; zlib then takes seconds at its default level, for a tenth of the bytes


def save_png(path: Path, picture: np.ndarray) -> None:
    """Writes a picture (height, width, C) uint8, with C = 1, 3 or 4, as a PNG file, atomically."""
    from PIL import Image

    image = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
    with atomic_file(path, durable=False) as file:
        image.save(file, "png", compress_level=1 if image.width * image.height > LARGE else 6)
