"""The step from what is stored to what the networks see, shared by both feeds."""

import torch
from torch import Tensor

Batch = dict[str, Tensor]


def decode(batch: Batch, mirrored: Tensor | None) -> Batch:
    """uint8 (N, ...) to float32 in [-1, 1]; images of which `mirrored` (N,) says so are flipped."""
    decoded = {}
    for key, value in batch.items():
        if mirrored is not None and value.ndim == 4:  # (N, C, H, W)
            value = torch.where(mirrored[:, None, None, None], value.flip(-1), value)
        decoded[key] = value.float().div_(127.5).sub_(1) if value.dtype == torch.uint8 else value
    return decoded
