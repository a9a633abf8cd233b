"""Pixel blitting: transforms that copy pixels as they are (ADA, Appendix B, and DiffAugment)."""

import torch
from torch import Tensor

from gan_cli.augment.draws import column, mirrored


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirrors the chosen images, (N,) bool, left to right."""
    return torch.where(column(chosen), images.flip(3), images)


def rotate90(images: Tensor, quarters: Tensor) -> Tensor:
    """Rotates images counterclockwise by 0 to 3 `quarters` of a turn, (N,) int64.

    Images that are not square keep their sides: 1 and 3 quarters are 0 and 2.
    """
    if images.shape[2] == images.shape[3]:
        images = torch.where(column(quarters % 2 == 1), images.rot90(1, (2, 3)), images)
    return torch.where(column(quarters >= 2), images.flip(2, 3), images)


def translate(images: Tensor, down: Tensor, right: Tensor, fill: str = "mirror") -> Tensor:
    """Moves images by whole pixels, (N,) int64; fill: "mirror" the image, or with "zeros"."""
    for axis, shift in ((2, down), (3, right)):
        size = images.shape[axis]
        position = torch.arange(size, device=images.device) - shift[:, None]  # (N, size)
        inside = (position >= 0) & (position < size)
        index = mirrored(position, size) if fill == "mirror" else position.clamp(0, size - 1)
        index, inside = (along(values, axis) for values in (index, inside))
        images = images.gather(axis, index.expand_as(images))
        if fill == "zeros":
            images = images * inside
    return images


def along(values: Tensor, axis: int) -> Tensor:
    """Values (N, size) of each image in a shape for images, along `axis` 2 or 3."""
    return values[:, None, :, None] if axis == 2 else values[:, None, None, :]
