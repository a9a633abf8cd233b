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

    `corners` (N, 2) in [0, 1) says where, as a share of what is left over at the top and the left.
    All images of a sample are cut at the same place, which is on the grid of the smallest one.
    """
    images = {key: value for key, value in batch.items() if fields[key].kind == "image"}
    least = min(images, key=lambda key: images[key].shape[2])
    size, whole = fields[least].shape[1:], images[least].shape[2:]
    # float32 below 1, times at most 2^16, is below the integer
    top, left = ((corners[:, i] * (whole[i] - size[i] + 1)).long() for i in range(2))
    cut = {}
    for key, value in images.items():
        times = value.shape[2] // whole[0]
        cut[key] = cut_out(value, fields[key].shape[1:], top * times, left * times)
    return batch | cut


def cut_out(images: Tensor, size: tuple[int, ...], top: Tensor, left: Tensor) -> Tensor:
    """Returns parts (N, C, height, width) of images (N, C, H, W); nothing waits for the device."""
    rows = top[:, None] + torch.arange(size[0], device=top.device)  # (N, height)
    columns = left[:, None] + torch.arange(size[1], device=top.device)  # (N, width)
    sample = torch.arange(len(images), device=top.device)
    parts = images[sample[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return parts.permute(0, 3, 1, 2).contiguous()  # from (N, height, width, C)
