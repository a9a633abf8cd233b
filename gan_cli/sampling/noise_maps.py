"""Noise of the layers of StyleGAN2, found with a style: Karras et al. 2020 (arXiv:1912.04958).

Appendix D: maps of independent numbers are optimized, too. A regularization keeps neighbours
uncorrelated, so that details of the image do not move into the noise. The paper weighs it by 1e5
for maps of 1024 x 1024 pixels; in small maps, neighbours are correlated so much by chance that
nothing else would be minimized. So each map counts in proportion to its pixels here.
"""

import math

import torch.nn.functional as F
from torch import Tensor

WEIGHT = 0.01  # of the regularization, which is 1 for each axis of a map by chance
SMALLEST = 8  # pixels: maps are halved down to this


def maps_of(noise: Tensor, sizes: list[int], image: tuple[int, int]) -> list[Tensor]:
    """The maps (N, 1, h, w) of noise (N, noise_size), whose layers have `sizes` numbers.

    The maps are halvings of the sides of `image`, (H, W).
    """
    maps = []
    for part, size in zip(noise.split(sizes, 1), sizes, strict=True):
        factor = math.isqrt(image[0] * image[1] // size)
        maps.append(part.unflatten(1, (1, image[0] // factor, image[1] // factor)))
    return maps


def correlation(maps: list[Tensor]) -> Tensor:
    """The sum (N,) of pixels times squared correlations of neighbours, of all maps and halvings.

    Maps are halved by sums of 2 x 2 numbers divided by 2, which keeps the variance of independent
    ones.
    """
    total = maps[0].new_zeros(len(maps[0]))
    for plane in maps:
        while True:
            for axis in (2, 3):
                product = (plane * plane.roll(1, axis)).mean((1, 2, 3))
                total = total + product.square() * plane[0].numel()
            if min(plane.shape[2:]) <= SMALLEST:
                break
            plane = 2 * F.avg_pool2d(plane, 2)
    return total


def standardize(noise: Tensor, sizes: list[int]) -> None:
    """Gives the map of each layer mean 0 and variance 1, in place."""
    for part in noise.split(sizes, 1):
        part.sub_(part.mean(1, keepdim=True))
        part.mul_(part.square().mean(1, keepdim=True).clamp(min=1e-12).rsqrt())
