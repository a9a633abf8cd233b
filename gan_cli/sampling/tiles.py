"""Images of any size through a convolutional network: whole, or in tiles that overlap."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan_cli.utils.images import to_uint8

Translate = Callable[[Tensor], Tensor]  # (1, C, H, W) in [-1, 1] to (1, C', factor H, factor W)
MOST = 64  # pixels; the largest overlap that is chosen by itself


@dataclass(frozen=True)
class Tiles:
    """How an image is cut; all lengths are pixels of the input, on each side.

    Tiles of `side` pixels are computed at a time, of which the outer `overlap` are thrown away,
    but for those at the border of the image. The sides of inputs are made multiples of `multiple`
    by reflection at the right and the bottom, and the outputs are cut accordingly.
    """

    side: int
    overlap: int
    multiple: int = 1  # of the sides that the network takes
    factor: int = 1  # by which the network enlarges

    @property
    def step(self) -> int:
        """Pixels of the result of one tile that are kept, a multiple of `multiple`."""
        margin = 2 * self.margin
        return max((self.side - margin) // self.multiple, 1) * self.multiple

    @property
    def margin(self) -> int:
        """The overlap, rounded up to a multiple, so that tiles begin where a stride does."""
        return -(-self.overlap // self.multiple) * self.multiple

    def whole(self, height: int, width: int) -> bool:
        """Whether an image is computed at once."""
        return height * width <= self.side**2

    def windows(self, length: int) -> Iterator[tuple[slice, slice]]:
        """Yields, along one axis, what is computed and what of it is kept, in the image."""
        for start in range(0, length, self.step):
            stop = min(start + self.step, length)
            yield (
                slice(max(start - self.margin, 0), min(stop + self.margin, length)),
                slice(start, stop),
            )

    def count(self, height: int, width: int) -> int:
        """Number of tiles."""
        height, width = (round_up(length, self.multiple) for length in (height, width))
        if self.whole(height, width):
            return 1
        return -(-height // self.step) * -(-width // self.step)


def translated(
    translate: Translate, image: np.ndarray, tiles: Tiles, device: torch.device
) -> np.ndarray:
    """Returns the output (factor H, factor W, C') uint8 of an image (H, W, C) uint8.

    The result in tiles equals the whole one if no output depends on pixels beyond the overlap. Only
    a tile at a time is held as floating-point numbers.
    """
    height, width = image.shape[:2]
    padded = reflected(image, *(round_up(n, tiles.multiple) - n for n in (height, width)))
    high, wide = padded.shape[:2]
    f = tiles.factor
    whole = tiles.whole(high, wide)
    rows, columns = (
        [(slice(0, length), slice(0, length))] if whole else list(tiles.windows(length))
        for length in (high, wide)
    )
    result: np.ndarray | None = None
    for computed_rows, kept_rows in rows:
        for computed_columns, kept_columns in columns:
            tile = np.ascontiguousarray(padded[computed_rows, computed_columns])
            given = torch.from_numpy(tile).permute(2, 0, 1)[None].to(device)
            made = to_uint8(translate(given.float() / 127.5 - 1)).cpu()[0].permute(1, 2, 0).numpy()
            if result is None:
                result = np.empty((f * high, f * wide, made.shape[2]), np.uint8)
            result[scaled(kept_rows, f), scaled(kept_columns, f)] = made[
                scaled(kept_rows, f, computed_rows.start),
                scaled(kept_columns, f, computed_columns.start),
            ]
    assert result is not None
    return result[: f * height, : f * width]


def scaled(part: slice, factor: int, origin: int = 0) -> slice:
    """Returns the part of the output, counted from the output of `origin` on."""
    return slice((part.start - origin) * factor, (part.stop - origin) * factor)


def round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def reflected(image: np.ndarray, below: int, right: int) -> np.ndarray:
    """Returns the image (H, W, C) with its reflection below and at the right, of any size."""
    if not below and not right:
        return image
    mode = "reflect" if min(image.shape[:2]) > 1 else "edge"
    return np.pad(image, ((0, below), (0, right), (0, 0)), mode)  # type: ignore[call-overload]


def reach(translate: Translate, channels: int, multiple: int, factor: int) -> int | None:
    """Returns how many pixels away an output still depends on the input; None: more than MOST.

    Measured: pixels that are not a number make everything not a number that depends on them.
    Networks that normalize over the image depend on all of it.
    """
    height, width = round_up(8, multiple), round_up(2 * MOST + 9, multiple)
    middle = width // 2
    probe = torch.zeros(1, channels, height, width)
    probe[..., middle] = torch.nan
    reached = translate(probe).isnan().any(1).any(1)[0].nonzero()[:, 0] // factor
    first, last = (int(reached.min()), int(reached.max())) if len(reached) else (middle, middle)
    return max(middle - first, last - middle) if first > 0 and last < width - 1 else None
