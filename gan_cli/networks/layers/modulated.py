"""Convolutions modulated by styles: Karras et al. 2020 (arXiv:1912.04958), Section 2.2.

A style scales the inputs of the convolution, and demodulation divides its outputs by the standard
deviation that they have for inputs of variance 1. Both are applied to the activations, so that the
batch shares one convolution; equal kernels for each sample, in groups, are the same to rounding.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.networks.layers.equalized import (
    EqualLinear,
    activate,
    at_least_float32,
    full_precision,
)
from gan_cli.networks.layers.resample import Smooth

EPSILON = 1e-8  # of the authors' code


class ModulatedConv2d(nn.Module):
    """A 3x3 convolution with demodulation, that may double the size before."""

    def __init__(self, inputs: int, outputs: int, style_dim: int, up: bool = False) -> None:
        super().__init__()
        self.style = EqualLinear(style_dim, inputs, shift=1)
        # Neither equalized nor initialized otherwise, since demodulation undoes every scale.
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.smooth = Smooth(outputs) if up else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, H, W) and styles (N, style_dim) to (N, outputs, H, W), or twice the size."""
        scale, demodulation = self.scales(w)
        x = x * as_map(scale, x)
        if self.smooth is None:
            y = F.conv2d(x, self.weight, padding=1)
        else:
            # Zeros between the pixels, which the filter's gain of 4 makes up for.
            y = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            y = self.smooth(y)[..., 1:-1, 1:-1]
            demodulation = 4 * demodulation
        return y * as_map(demodulation, y)

    def scales(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the scales of the inputs (N, inputs) and of the outputs (N, outputs)."""
        with full_precision(w):
            scale = self.style(w)
            variance = scale.square() @ self.weight.square().sum((2, 3)).T  # (N, outputs)
            return scale, (variance + EPSILON).rsqrt()


class StyledLayer(nn.Module):
    """A modulated convolution, noise of learned strength, a bias and leaky ReLU: Figure 2d."""

    def __init__(
        self, inputs: int, outputs: int, style_dim: int, size: tuple[int, int], up: bool = False
    ) -> None:
        super().__init__()
        self.size = size  # (height, width) of the output, and of its noise
        self.conv = ModulatedConv2d(inputs, outputs, style_dim, up)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """`noise` (N, H * W) is that of the pixels, which all channels share; None: no noise."""
        x = self.conv(x, w)
        if noise is not None:
            x = x + (noise.view(-1, 1, *self.size) * self.strength).to(x.dtype)
        return activate(x + self.bias.to(x.dtype).view(1, -1, 1, 1))


class ToImage(nn.Module):
    """A modulated 1x1 convolution without demodulation, which could not change the contrast."""

    def __init__(self, inputs: int, outputs: int, style_dim: int) -> None:
        super().__init__()
        self.style = EqualLinear(style_dim, inputs, shift=1)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, H, W) and styles (N, style_dim) to (N, outputs, H, W) in float32."""
        with full_precision(w):
            scale = self.style(w) * self.scale
        y = F.conv2d(x * as_map(scale, x), self.weight)
        return at_least_float32(y) + self.bias.view(1, -1, 1, 1)


def as_map(scale: Tensor, x: Tensor) -> Tensor:
    """Factors (N, C) of the channels of `x`, in its precision."""
    return scale.to(x.dtype)[:, :, None, None]
