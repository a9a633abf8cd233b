"""Edges are all that is left of a picture."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.config.ranges import Range, Share
from gan_cli.data.degradations.degradation import degradations
from gan_cli.data.degradations.gray import luminance
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

Side = Annotated[int, Range(least=3, most=31)]


@degradations.register("edges")
def edges(
    images: Tensor,
    noise: Noise,  # noqa: ARG001
    *,
    size: Side = 3,  # pixels per side of the neighbourhood, odd
    threshold: Share | None = None,  # lines where the edge is stronger; null: its strength as gray
) -> Tensor:
    """The morphological gradient (N, 1, H, W) of the luminance: its maximum minus its minimum.

    Both are taken over size x size pixels. Edges are white.
    """
    if size % 2 == 0:
        raise ConfigError(f"degradation.size: is even, {size}; type {size - 1} or {size + 1}")
    light = luminance(images).float()
    largest, smallest = (
        sign * F.max_pool2d(sign * light, size, 1, size // 2) for sign in (1.0, -1.0)
    )
    strength = largest - smallest
    if threshold is not None:
        strength = torch.where(strength > 255 * threshold, 255.0, 0.0)
    return strength.to(torch.uint8)
