"""A box is cut out: a model learns to fill it."""

from typing import Annotated, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import ProperShare, Range
from gan_cli.data.degradations.degradation import degradations
from gan_cli.utils.noise import Noise

Level = Annotated[int, Range(least=0, most=255)]


@degradations.register("mask")
def mask(
    images: Tensor,
    noise: Noise,
    *,
    side: ProperShare = 0.5,  # of the box, as a share of the image's
    place: Literal["random", "center"] = "random",  # of the box
    value: Level = 127,  # of its pixels
) -> Tensor:
    """Images (N, C, H, W) in which a box of side * H x side * W pixels has one value."""
    masked = images.clone()
    height, width = images.shape[2:]
    tall, wide = (max(round(side * length), 1) for length in (height, width))
    where = noise.uniform(2) if place == "random" else torch.full((len(images), 2), 0.5)
    tops = (where[:, 0] * (height - tall + 1)).long().clamp_max(height - tall).tolist()
    lefts = (where[:, 1] * (width - wide + 1)).long().clamp_max(width - wide).tolist()
    for image, top, left in zip(masked, tops, lefts, strict=True):
        image[:, top : top + tall, left : left + wide] = value
    return masked
