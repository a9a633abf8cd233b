"""Converts images of any size to the input of the FID network: 299 x 299 RGB, 0 to 255."""

import numpy as np
import torch
from torch import Tensor

SIZE = 299


def to_rgb(images: Tensor) -> Tensor:
    """RGB images from uint8 (N, C, H, W): gray is repeated, RGBA is composited over white."""
    channels = images.shape[1]
    if channels == 1:
        return images.expand(-1, 3, -1, -1)
    if channels == 4:
        alpha = images[:, 3:].float() / 255
        return (images[:, :3] * alpha + 255 * (1 - alpha)).round().to(torch.uint8)
    assert channels == 3, f"{channels} channels"
    return images


def resize_tf(images: Tensor) -> Tensor:
    """Resizes uint8 (N, 3, H, W) to float32 (N, 3, 299, 299) as TensorFlow 1's resize_bilinear."""
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as interpolate,
    )

    resized: Tensor = interpolate(images.float(), (SIZE, SIZE), align_corners=False)
    return resized


def resize_clean(images: Tensor) -> Tensor:
    """Resizes uint8 (N, 3, H, W) to float32 (N, 3, 299, 299), antialiased and without rounding."""
    from PIL import Image

    planes = images.cpu().flatten(0, 1).float().numpy()  # (N * 3, H, W)
    resized = [
        np.asarray(Image.fromarray(plane).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        for plane in planes
    ]
    stacked = torch.from_numpy(np.stack(resized)).clamp(0, 255)
    return stacked.unflatten(0, (-1, 3)).to(images.device)
