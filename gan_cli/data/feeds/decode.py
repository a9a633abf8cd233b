"""Conversion of batches from stored form to model form, shared by all feeds."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field

Batch = dict[str, Tensor]


def decode(batch: Batch, fields: Mapping[str, Field], mirrored: Tensor | None = None) -> Batch:
    """Returns stored samples (N, *shape) in model form, flipped where `mirrored` (N,) is true."""
    decoded = {}
    for key, value in batch.items():
        kind = kind_of(fields[key])
        decoded[key] = kind.to_model(value if mirrored is None else kind.mirror(value, mirrored))
    return decoded


def crop(batch: Batch, fields: Mapping[str, Field], corners: Tensor) -> Batch:
    """Returns stored samples with images cut to the sizes of `fields`.

    `corners` (N, 2) in [0, 1) says where, as a share of what is left over at the top and the left:
    all images of a sample are cut at the same place.
    """
    cut = {}
    for key, value in batch.items():
        field = fields[key]
        cut[key] = cut_out(value, field.shape[1:], corners) if field.kind == "image" else value
    return cut


def cut_out(images: Tensor, size: tuple[int, ...], corners: Tensor) -> Tensor:
    """Returns parts (N, C, height, width) of images (N, C, H, W); nothing waits for the device."""
    top, left = (
        (corners[:, i] * (images.shape[2 + i] - size[i] + 1)).long() for i in range(2)
    )  # float32 below 1, times at most 2^16, is below the integer
    rows = top[:, None] + torch.arange(size[0], device=corners.device)  # (N, height)
    columns = left[:, None] + torch.arange(size[1], device=corners.device)  # (N, width)
    sample = torch.arange(len(images), device=corners.device)
    parts = images[sample[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return parts.permute(0, 3, 1, 2).contiguous()  # from (N, height, width, C)
