"""Paths of samples of one or two numbers, as a latent moves along a direction."""

import numpy as np
import torch
from torch import Tensor

from gan_cli.plots.figure import FAKE, REAL, Limits, add_axes, add_legend, new_figure, to_array
from gan_cli.plots.figure import unit_rgb as rgb


def paths(samples: Tensor) -> np.ndarray:
    """Samples (N, T, F) of N starting points at T steps, F = 1 or 2; a picture (512, 512, 3) uint8.

    Points of the plane are shown as they are, numbers above the step, from -1 to 1. A large dot is
    the end of a path, a small one each other step.
    """
    samples = samples.detach().cpu().double()
    if samples.shape[-1] == 1:
        steps = torch.linspace(-1, 1, samples.shape[1], dtype=torch.float64)
        samples = torch.cat([steps[:, None].expand_as(samples), samples], -1)
    points = samples.flatten(0, 1)
    with new_figure() as figure:
        axes = add_axes(figure, Limits.around(points))
        for path in samples.numpy():
            axes.plot(*path.T, "o-", color=rgb(REAL), alpha=0.7, markersize=3, linewidth=1)
            axes.plot(*path[-1:].T, "o", color=rgb(FAKE), markersize=6, markeredgewidth=0)
        add_legend(axes, [("along the direction", REAL), ("its end", FAKE)])
        return to_array(figure)
