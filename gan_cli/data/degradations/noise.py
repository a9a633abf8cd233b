"""Noise is added: a model learns to remove it."""

from torch import Tensor

from gan_cli.config.ranges import Positive
from gan_cli.data.degradations.degradation import degradations
from gan_cli.data.degradations.downscale import rounded
from gan_cli.utils.noise import Noise


@degradations.register("noise")
def noisy(
    images: Tensor,
    noise: Noise,
    *,
    deviation: Positive = 0.2,  # standard deviation, as a share of the range of pixels
) -> Tensor:
    """Images (N, C, H, W) plus white Gaussian noise, the same for an image every time."""
    return rounded(images.float() + 255 * deviation * noise.normal(*images.shape[1:]))
