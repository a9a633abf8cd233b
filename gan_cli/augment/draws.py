"""What augmentations share: random draws on the device, mirrored indices, boxes, full precision."""

import math
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

Place = TypeVar("Place", int, Tensor, np.ndarray)
Method = TypeVar("Method", bound=Callable[..., Any])


def constant(values: Callable[..., np.ndarray]) -> Callable[..., Tensor]:
    """Makes a function of sizes one of (*sizes, dtype, device), whose tensors are cached.

    Each copy of numbers to a device waits for it.
    """

    @cache
    def cached(*key: Any) -> Tensor:
        *sizes, dtype, device = key
        with torch.inference_mode(False):
            return torch.tensor(values(*sizes), dtype=dtype, device=device)

    return cached


def uniform(like: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One number in [low, high) for each sample of `like`, (N,)."""
    return torch.rand(len(like), dtype=like.dtype, device=like.device) * (high - low) + low


def normal(like: Tensor) -> Tensor:
    """One standard normal number for each sample of `like`, (N,)."""
    return torch.randn(len(like), dtype=like.dtype, device=like.device)


def power_of_two(like: Tensor, deviation: float) -> Tensor:
    """2^N(0, deviation^2) for each sample of `like`, (N,)."""
    return torch.exp(normal(like) * (deviation * math.log(2)))


def happens(like: Tensor, p: Tensor) -> Tensor:
    """Which samples of `like` an event of probability `p` (0-d, on the device) happens to, (N,).

    None at p = 0 and all at p = 1, exactly.
    """
    return torch.rand(len(like), device=like.device) < p


def whole(like: Tensor, low: int, high: int) -> Tensor:
    """One whole number in low, ..., high for each sample of `like`, (N,) int64."""
    return torch.randint(low, high + 1, (len(like),), device=like.device)


def column(values: Tensor) -> Tensor:
    """Numbers (N,) or (N, C) in a shape that fits images (N, C, H, W)."""
    return values[(...,) + (None,) * (4 - values.ndim)]


def mirrored(position: Place, size: int) -> Place:
    """Positions in [0, size - 1] of an image that is mirrored at its outer pixels."""
    if size == 1:
        return position * 0
    return (size - 1) - abs(position % (2 * (size - 1)) - (size - 1))


def mirror_pad(images: Tensor, margin: int) -> Tensor:
    """Images with `margin` mirrored pixels on all sides, also more than the image has."""
    for axis in (2, 3):
        index = margins(margin, images.shape[axis], torch.int64, images.device)
        images = images.index_select(axis, index)
    return images


@constant
def margins(margin: int, size: int) -> np.ndarray:
    """Indices of the pixels of a mirrored line and its margins."""
    return mirrored(np.arange(-margin, size + margin), size)


def box_mask(like: Tensor, centre: tuple[Tensor, Tensor], sides: tuple[float, float]) -> Tensor:
    """Whether the centres of pixels are in a box, (N, 1, H, W); clipped at the border.

    `centre` (y, x), each (N,), and the `sides` count in pixels; the first pixel covers [0, 1].
    """
    inside = []
    for axis, (middle, side) in enumerate(zip(centre, sides, strict=True)):
        pixel = torch.arange(like.shape[2 + axis], device=like.device) + 0.5
        inside.append((pixel - middle[:, None]).abs() <= side / 2)  # (N, H) or (N, W)
    rows, columns = inside
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def in_full_precision(method: Method) -> Method:
    """Calls the method without autocast, on images that are float32 at least.

    Coordinates in bfloat16 are off by whole pixels. torch.compile leaves the method out: it would
    make the cached constants anew in each call, and fails on some of the indices.
    """

    @torch.compiler.disable
    @wraps(method)
    def wrapped(self: Any, images: Tensor, *others: Tensor) -> Any:
        with torch.autocast(images.device.type, enabled=False):
            every = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (images, *others))
            return method(self, *every)

    return wrapped
