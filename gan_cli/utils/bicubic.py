"""Bicubic resizing by Pillow: the degradation and the yardstick of super-resolution.

Pillow's kernel has a = -0.5 and is widened when an image is made smaller, which is what MATLAB's
imresize does in the published test sets, up to rounding. OpenCV and torch without antialias=True
differ by 1 dB of the result.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def resized(array: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Returns an image (H, W) or (H, W, C), uint8, in the size (height, width).

    Channels are resized on their own, so that transparent colours stay what they are.
    """
    height, width = size
    if array.ndim == 2:
        return np.array(Image.fromarray(array).resize((width, height), Image.Resampling.BICUBIC))
    return np.stack([resized(np.ascontiguousarray(c), size) for c in np.moveaxis(array, 2, 0)], 2)


def enlarged(images: Tensor, size: Sequence[int]) -> Tensor:
    """Returns images (N, C, H, W), uint8 on the CPU, in another size (height, width)."""
    whole = [
        torch.from_numpy(resized(image.permute(1, 2, 0).numpy(), size)).permute(2, 0, 1)
        for image in images
    ]
    return torch.stack(whole)
