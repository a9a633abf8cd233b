"""Resamples images under affine maps without aliasing (ADA, Karras et al. 2020, Appendix B).

Images are upsampled by 2 with the low-pass filter of the wavelet sym6, sampled bilinearly, and
downsampled with the same filter. The wavelet is orthonormal, so that the identity is exact. Beyond
its border an image is continued by its mirror image. That is done by folding coordinates, not by
padding, so that all shapes are static and nothing waits for the device.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.augment.draws import constant, mirrored

# Low-pass of the least asymmetric wavelet with 6 vanishing moments: Daubechies 1992, Table 6.3.
SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
TAPS = len(SYM6)
CENTRE = sum(n * tap for n, tap in enumerate(SYM6)) / sum(SYM6)  # of the filter, in taps
EXTENT = 4  # pixels beyond the border that are filtered as such, and not mirrored afterwards
FIRST = math.floor(CENTRE - 2 * EXTENT)  # index of the first fine sample; 0 is the first tap's


def transform(images: Tensor, inverse: Tensor, shift: Tensor) -> Tensor:
    """Returns images (N, C, H, W) under an affine map about their centres.

    Output pixel o shows the point `inverse` (o - `shift`) of the input; points are (x, y) from the
    centre in pixels. `inverse` is (N, 2, 2), `shift` (N, 2).
    """
    height, width = images.shape[2:]
    fine = resampled(images, upsampling)
    x, y = (taps_positions(size, images) for size in (width, height))
    centre = ((width - 1) / 2, (height - 1) / 2)
    x = x[None, None, :] - centre[0] - shift[:, 0, None, None]
    y = y[None, :, None] - centre[1] - shift[:, 1, None, None]
    a = inverse[:, :, :, None, None]  # (N, 2, 2, 1, 1)
    points = (
        fine_position(a[:, 0, 0] * x + a[:, 0, 1] * y + centre[0], width),
        fine_position(a[:, 1, 0] * x + a[:, 1, 1] * y + centre[1], height),
    )
    return resampled(bilinear(fine, *points), downsampling)


def taps_positions(size: int, like: Tensor) -> Tensor:
    """Positions, in pixels of the output, of the fine samples that make up `size` pixels."""
    fine = torch.arange(2 * (size - 1) + TAPS, dtype=like.dtype, device=like.device)
    return (fine - CENTRE) / 2


def fine_position(position: Tensor, size: int) -> Tensor:
    """The index of the fine sample at a position in pixels of the image."""
    near = (position >= -EXTENT) & (position <= size - 1 + EXTENT)
    folded = torch.where(near, position, mirrored(position, size))
    return 2 * folded + CENTRE - FIRST


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Interpolates images at the pixel indices x, y (N, H', W'), all of them inside.

    grid_sample has no deterministic gradient on GPUs.
    """
    if torch.are_deterministic_algorithms_enabled():
        return gathered(images, x, y)
    height, width = images.shape[2:]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], 3)
    sampled: Tensor = Sampled.apply(images, grid)
    return sampled


class Sampled(torch.autograd.Function):
    """F.grid_sample as a linear map of images with any number of derivatives.

    PyTorch's own lacks the second one, which gradient penalties need, in 2.11 and earlier.
    """

    @staticmethod
    def forward(images: Tensor, grid: Tensor) -> Tensor:
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # noqa: ARG004
        images, grid = inputs
        ctx.size = images.shape
        ctx.save_for_backward(grid)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return Spread.apply(gradient, *ctx.saved_tensors, ctx.size), None


class Spread(torch.autograd.Function):
    """The adjoint of Sampled, from (N, C, H', W') to images of `size`."""

    @staticmethod
    def forward(gradient: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        images = gradient.new_zeros(size)  # of which only the shape matters
        modes = (0, 1, False, (True, False))  # bilinear, border; no gradient of the grid
        spread: Tensor = torch.ops.aten.grid_sampler_2d_backward(gradient, images, grid, *modes)[0]
        return spread

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return Sampled.apply(gradient, *ctx.saved_tensors), None, None


def gathered(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`bilinear` as a weighted sum of four gathered pixels."""
    channels, height, width = images.shape[1:]
    left = x.floor().clamp(0, width - 2)
    top = y.floor().clamp(0, height - 2)
    flat, (dx, dy) = images.flatten(2), (x - left, y - top)
    total = torch.zeros((), dtype=images.dtype, device=images.device)
    for i, across in ((0, 1 - dx), (1, dx)):
        for j, down in ((0, 1 - dy), (1, dy)):
            index = ((top + j) * width + left + i).long().flatten(1)[:, None]
            pixels = flat.gather(2, index.expand(-1, channels, -1))
            total = total + pixels.unflatten(2, x.shape[1:]) * (across * down)[:, None]
    return total


def resampled(images: Tensor, filtered: Callable[..., Tensor]) -> Tensor:
    """Images whose columns and rows are multiplied by the matrices `filtered` of their lengths."""
    rows, columns = (filtered(size, images.dtype, images.device) for size in images.shape[2:])
    return rows @ images @ columns.mT


@constant
def upsampling(size: int) -> np.ndarray:
    """Matrix that makes fine samples of `size` pixels and their mirror image."""
    matrix = np.zeros((2 * (size + 2 * EXTENT) + 1, size))
    for row, tap in np.ndindex(len(matrix), TAPS):
        pixel, odd = divmod(row + FIRST - tap, 2)
        if not odd:
            matrix[row, mirrored(pixel, size)] += SYM6[tap] * 2**0.5  # such taps sum to 1
    return matrix


@constant
def downsampling(fine: int) -> np.ndarray:
    """The adjoint of upsampling within the image, which is its inverse on its range."""
    size = (fine - TAPS) // 2 + 1
    matrix = np.zeros((size, fine))
    for pixel, tap in np.ndindex(size, TAPS):
        matrix[pixel, 2 * pixel + tap] = SYM6[tap] * 0.5**0.5
    return matrix
