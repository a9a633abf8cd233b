"""Images are made smaller: a model learns super-resolution."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.config.ranges import Range
from gan_cli.data.degradations.degradation import degradations
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

Factor = Annotated[int, Range(least=2, most=64)]


@degradations.register("downscale")
def downscale(
    images: Tensor,
    noise: Noise,  # noqa: ARG001
    *,
    factor: Factor = 4,  # height and width are divided by it
    kernel: Literal["bicubic", "bilinear", "box"] = "bicubic",  # antialiased, as Pillow's
) -> Tensor:
    """Images (N, C, H / factor, W / factor), by an antialiased kernel."""
    height, width = images.shape[2:]
    if height % factor or width % factor:
        fitting = max(height // factor, 1) * factor, max(width // factor, 1) * factor
        raise ConfigError(
            f"degradation.factor: images of {height} x {width} cannot be divided by {factor}; "
            f"resize them to {fitting[0]} x {fitting[1]}, say"
        )
    if kernel == "box":
        return rounded(F.avg_pool2d(images.float(), factor))
    size = (height // factor, width // factor)
    return rounded(F.interpolate(images.float(), size, mode=kernel, antialias=True))


def rounded(values: Tensor) -> Tensor:
    """Values in [0, 255] as uint8."""
    return values.round_().clamp_(0, 255).to(torch.uint8)
