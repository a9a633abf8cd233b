"""Samples of any shape as a picture to look at while a run goes on."""

import numpy as np
from torch import Tensor

from gan_cli.data.registry import Density
from gan_cli.densities import density_plot
from gan_cli.games.game import Batch
from gan_cli.images import grid, to_uint8
from gan_cli.level_sets import Judge
from gan_cli.plots import scatter


def picture_of(
    samples: Tensor, batch: Batch, density: Density | None = None, judge: Judge | None = None
) -> np.ndarray | None:
    """(height, width, C) uint8: a grid of images (N, C, H, W), a plot of vectors (N, 1) or (N, 2).

    None of longer vectors. Vectors are drawn beside the real ones of `batch`, and beside what
    `density` and `judge` know of the line or the plane.
    """
    if samples.ndim == 4:
        return grid(to_uint8(samples))
    if samples.shape[1] == 1:
        return density_plot(batch["real"], samples, density, judge)
    return scatter(batch["real"], samples, judge) if samples.shape[1] == 2 else None
