"""Images: uint8 (C, H, W) in data sets, float32 in [-1, 1] in networks, grids in previews."""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.data.kinds.kind import Context, Kind, kinds
from gan_cli.data.spec import Field
from gan_cli.utils.images import grid, to_uint8
from gan_cli.utils.named_grid import named_grid

CHANNELS = (1, 3, 4)  # of images that have a picture: gray, RGB, RGBA


@kinds.register("image")
class Image(Kind):
    """Gray, RGB or RGBA images; those with other numbers of channels have no pictures."""

    features = "random"
    health_features = ("pixels", "random")
    bounded = True
    shows_augmentation = True
    rounding = "rounded to uint8"
    step = 2 / 255

    def recognizes(self, stored: Tensor) -> bool:
        return stored.ndim == 4

    def to_model(self, stored: Tensor) -> Tensor:
        if stored.dtype == torch.uint8:
            return stored.float().div_(127.5).sub_(1)
        return stored

    def to_stored(self, samples: Tensor) -> Tensor:
        return to_uint8(samples) if samples.is_floating_point() else samples

    def mirror(self, stored: Tensor, mirrored: Tensor) -> Tensor:
        return torch.where(mirrored[:, None, None, None], stored.flip(-1), stored)

    def picture(
        self,
        field: Field,  # noqa: ARG002
        columns: Sequence[Tensor],
        context: Context,
    ) -> np.ndarray | None:
        """Returns a nearly square grid; with k columns, of the first 1/k of the samples.

        Samples with named classes are in rows of their classes.
        """
        tiles = [self.to_stored(column) for column in columns]
        if any(len(tile[0]) not in CHANNELS for tile in tiles):
            return None
        if context.names is not None and len(tiles) == 1:
            return named_grid(tiles[0], context.names)
        return grid(*side_by_side(tiles))

    def default_format(self, field: Field) -> str:
        return "grid" if field.shape[0] in CHANNELS else "npz"

    def array_name(self) -> str:
        return "images"

    def to_array(self, stored: Tensor) -> np.ndarray:
        return stored.permute(0, 2, 3, 1).contiguous().cpu().numpy()  # (N, H, W, C)

    def from_array(self, array: np.ndarray) -> Tensor:
        if array.ndim != 4 or array.dtype != np.uint8:
            raise ValueError(f"must be uint8 (N, H, W, C), not {array.dtype} {array.shape}")
        if channels_first(*array.shape[1:]):
            raise ValueError(
                f"must be (N, H, W, C), and {array.shape} looks like (N, C, H, W); save it after "
                "images.transpose(0, 2, 3, 1)"
            )
        return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous()


def channels_first(first: int, second: int, last: int) -> bool:
    """Returns whether arrays of images (N, first, second, last) look like (N, C, H, W).

    Of sizes that fit both layouts, such as (N, 3, 16, 3), images of 3 pixels are the less likely.
    """
    if last in CHANNELS:
        return first in CHANNELS[1:] and last in CHANNELS[1:] and second >= 8
    return first in CHANNELS or first < second == last


def side_by_side(columns: Sequence[Tensor]) -> tuple[Tensor, int]:
    """Returns stored images with columns interleaved, and the number of columns of their grid."""
    k = len(columns)
    rows = max(len(columns[0]) // k, 1)
    tiles = torch.stack(same_shape([column[:rows] for column in columns]), 1).flatten(0, 1)
    columns_of_grid = math.ceil(math.sqrt(len(tiles)) / k) * k
    return tiles, columns_of_grid


def same_shape(columns: Sequence[Tensor]) -> list[Tensor]:
    """Returns stored images with equal channels and size; small ones are enlarged."""
    channels = max(c.shape[1] for c in columns)
    height, width = (max(c.shape[i] for c in columns) for i in (2, 3))
    same = []
    for c in columns:
        if c.shape[1] < channels:
            opaque = torch.full_like(c[:, :1], 255) if channels == 4 else c[:, :0]
            c = torch.cat([c.expand(-1, 3, -1, -1) if c.shape[1] == 1 else c, opaque], 1)
        if c.shape[2:] != (height, width):
            c = F.interpolate(c.float(), (height, width), mode="nearest").to(torch.uint8)
        same.append(c)
    return same
