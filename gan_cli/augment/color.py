"""Colour transforms as affine maps of the channels (ADA, Karras et al. 2020, Appendix B).

Gray is the direction v = (1, ..., 1) / sqrt(C) of the C channels; luma is the part of a colour
along it. Images are in [-1, 1], but nothing is clamped.
"""

import torch
from torch import Tensor

from gan_cli.augment.draws import column


class ColorMap:
    """For each image a matrix (N, C, C) and an offset (N, C); starts as the identity."""

    def __init__(self, like: Tensor) -> None:
        count, self.channels = like.shape[:2]
        self.identity = torch.eye(self.channels, dtype=like.dtype, device=like.device)
        self.gray = torch.ones_like(self.identity) / self.channels  # v v^T
        self.matrix = self.identity.expand(count, -1, -1)
        self.offset = like.new_zeros(count, self.channels)

    def apply(self, images: Tensor) -> Tensor:
        """The images under the map; a sum of products, since a matmul may be rounded to TF32."""
        total = column(self.offset)
        for i in range(self.channels):
            total = total + column(self.matrix[:, :, i]) * images[:, i : i + 1]
        return total

    def brighten(self, amount: Tensor) -> None:
        """Adds `amount` (N,) to all channels."""
        self.offset = self.offset + amount[:, None]

    def contrast(self, factor: Tensor) -> None:
        """Multiplies colours by `factor` (N,), so about 0, which is medium gray."""
        self.compose(factor[:, None, None] * self.identity)

    def flip_luma(self, chosen: Tensor) -> None:
        """Inverts luma, and keeps hue and saturation, where `chosen` (N,): I - 2 v v^T."""
        self.compose(self.identity - 2 * chosen[:, None, None] * self.gray)

    def rotate_hue(self, angle: Tensor) -> None:
        """Rotates the colours of 3 channels about gray by `angle` (N,), in radians."""
        sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
        shifted = self.identity.roll(1, 0) - self.identity.roll(-1, 0)  # sqrt(3) v x
        self.compose(self.gray + cosine * (self.identity - self.gray) + sine * shifted / 3**0.5)

    def saturate(self, factor: Tensor) -> None:
        """Multiplies the difference from gray by `factor` (N,)."""
        self.compose(self.gray + factor[:, None, None] * (self.identity - self.gray))

    def compose(self, matrix: Tensor) -> None:
        """Applies a matrix (N, C, C) after the map so far."""
        self.matrix = product(matrix, self.matrix)
        self.offset = product(matrix, self.offset[:, :, None])[:, :, 0]


def product(left: Tensor, right: Tensor) -> Tensor:
    """Products of small matrices (N, A, B) and (N, B, C), without TF32."""
    return (left[:, :, :, None] * right[:, None, :, :]).sum(2)
