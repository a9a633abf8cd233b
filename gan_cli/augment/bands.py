"""Amplifies frequency bands of images (ADA, Karras et al. 2020, Appendix B: image-space filtering).

The bank divides the frequencies at pi/8, pi/4 and pi/2. It is made of the zero-phase filters
L(z) = h(z) h(1/z) / 2 and H(z) = 1 - L(z) of the wavelet sym2: L(z) L(z^2) L(z^4),
L(z) L(z^2) H(z^4), L(z) H(z^2) and H(z), whose sum is 1.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.augment.draws import constant, mirror_pad

SYM2 = (-0.12940952255126037, 0.2241438680420134, 0.8365163037378079, 0.48296291314453416)
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images in the bands, whose spectrum is 1 / f


@constant
def bank() -> np.ndarray:
    """The 4 filters, lowest band first, each with 43 taps, symmetric about the middle one."""
    low = np.convolve(SYM2, SYM2[::-1]) / 2  # 7 taps
    high = -low
    high[3] += 1
    low2, high2, low4, high4 = (spread(f, by) for by in (2, 4) for f in (low, high))
    filters = [
        np.convolve(np.convolve(low, low2), low4),
        np.convolve(np.convolve(low, low2), high4),
        np.convolve(low, high2),
        high,
    ]
    taps = len(filters[0])
    padded = [np.pad(f, (taps - len(f)) // 2) for f in filters]
    return np.stack(padded)


def spread(taps: np.ndarray, by: int) -> np.ndarray:
    """The taps of f(z^by)."""
    spaced = np.zeros(by * (len(taps) - 1) + 1)
    spaced[::by] = taps
    return spaced


def normalized(gains: Tensor) -> Tensor:
    """Gains (N, 4) that keep the power of natural images."""
    power = sum(share * gains[:, i].square() for i, share in enumerate(POWER))
    return gains / torch.as_tensor(power).sqrt()[:, None]


def amplify(images: Tensor, gains: Tensor) -> Tensor:
    """Images whose bands are multiplied by `gains` (N, 4) along rows, and along columns."""
    count, channels = images.shape[:2]
    filters = bank(images.dtype, images.device)
    taps = (gains[:, :, None] * filters).sum(1)  # (N, 43)
    weight = taps.repeat_interleave(channels, 0)[:, None]  # (N C, 1, 43)
    flat = mirror_pad(images, filters.shape[1] // 2).flatten(0, 1)[None]
    flat = F.conv2d(flat, weight[..., None], groups=count * channels)
    flat = F.conv2d(flat, weight[..., None, :], groups=count * channels)
    return flat[0].unflatten(0, (count, channels))
