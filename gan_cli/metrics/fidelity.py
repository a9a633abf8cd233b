"""PSNR and SSIM of images whose truth is known, as super-resolution reports them.

Figures are comparable only with equal channels (luma or RGB), border and degradation: between luma
and RGB lie 1 to 2 dB.
"""

import torch
from torch import Tensor

LUMA = (65.481, 128.553, 24.966)  # of R, G and B in [0, 1]: ITU-R BT.601, in 16..235
BLACK = 16.0
WINDOW = 11  # pixels per side of SSIM's window, a Gaussian of standard deviation 1.5
SMALLEST_ERROR = 1e-10  # mean squared error of equal images, of pixels in [0, 1]: 100 dB


def luma(images: Tensor) -> Tensor:
    """Returns luma (N, 1, H, W), 16..235 as floats, of RGB images (N, 3 or 4, H, W) in 0..255.

    Gray images are luma already, in the same range.
    """
    images = images.double()
    if images.shape[1] == 1:
        return BLACK + images * (sum(LUMA) / 255)
    weights = torch.tensor(LUMA, dtype=torch.float64, device=images.device) / 255
    return BLACK + (images[:, :3] * weights[:, None, None]).sum(1, keepdim=True)


def shaved(images: Tensor, border: int) -> Tensor:
    """Returns images without `border` pixels on each side."""
    return images[..., border : images.shape[-2] - border, border : images.shape[-1] - border]


def psnr(output: Tensor, truth: Tensor) -> Tensor:
    """Returns the peak signal-to-noise ratio (N,) in dB of images (N, C, H, W) in 0..255.

    Equal images have 100 dB.
    """
    error = ((output.double() - truth.double()) / 255).square().flatten(1).mean(1)
    return -10 * error.clamp_min(SMALLEST_ERROR).log10()


def ssim(output: Tensor, truth: Tensor) -> Tensor:
    """Returns the structural similarity (N,) of images (N, C, H, W) in 0..255.

    Wang et al. 2004, "Image quality assessment": a Gaussian window of 11 x 11, inside of the image.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure  # takes seconds

    found = structural_similarity_index_measure(
        output.double(), truth.double(), data_range=255.0, reduction="none"
    )
    assert isinstance(found, Tensor)
    return found.reshape(-1)


def gradient_energy(images: Tensor) -> Tensor:
    """Returns the mean squared difference of neighbouring pixels (N,), a measure of sharpness."""
    images = images.double() / 255
    return sum(images.diff(dim=i).square().flatten(1).mean(1) for i in (2, 3)) / 2  # type: ignore
