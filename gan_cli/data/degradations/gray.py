"""Colours are taken away: a model learns to colour pictures."""

import torch
from torch import Tensor

from gan_cli.data.degradations.degradation import degradations
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

LUMA = (299, 587, 114)  # thousandths of red, green and blue: ITU-R BT.601


@degradations.register("gray")
def gray(images: Tensor, noise: Noise) -> Tensor:  # noqa: ARG001
    """Luminance (N, 1, H, W) of colour images, by ITU-R BT.601."""
    if images.shape[1] == 1:
        raise ConfigError(
            "degradation: 'gray' takes the colours away, and the images have none; choose another, "
            "or images in colour, with channels=3"
        )
    return luminance(images)


def luminance(images: Tensor) -> Tensor:
    """Luminance (N, 1, H, W) uint8 of images (N, C, H, W) uint8; gray images stay as they are."""
    if images.shape[1] == 1:
        return images
    parts = images[:, :3].int() * torch.tensor(LUMA, dtype=torch.int32)[:, None, None]
    return ((parts.sum(1, keepdim=True) + 500) // 1000).to(torch.uint8)
