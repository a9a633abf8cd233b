"""Scatter plots of samples in the plane, and of the transport plan between two sets of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gan_cli.plots.critic_map import HIGH, LOW, CriticFunction, level_sets
from gan_cli.plots.figure import (
    DARK,
    FAKE,
    REAL,
    Color,
    Limits,
    add_axes,
    add_legend,
    fake_label,
    new_figure,
    to_array,
    unit_rgb,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAINTEST = 0.01  # entries of a plan below this share of the largest one are not drawn


def scatter(
    real: Tensor,
    fake: Tensor | None,
    critic: CriticFunction | None = None,
    real_name: str = "real",
) -> np.ndarray:
    """Generated samples (M, 2) over real ones (N, 2), a picture of (512, 512, 3) uint8.

    The limits are those of the real samples, and thus the same in all pictures of one training.
    The legend counts the generated samples outside of them. The background shows the level sets of
    `critic`, if it can score single samples. Without `fake`, the real samples are shown alone.
    """
    limits = Limits.around(real)
    shades = level_sets(limits, critic, real.device) if critic else None
    legend = [(real_name, REAL)]
    if fake is not None:
        outside = len(fake) - int(limits.contains(fake).sum())
        legend.append((fake_label(outside), FAKE))
    with new_figure() as figure:
        axes = add_axes(figure, limits)
        if shades is not None:
            extent = (limits.left, limits.right, limits.bottom, limits.top)
            axes.imshow(shades, extent=extent, aspect="auto", interpolation="nearest")
            legend += [("critic low", LOW), ("critic high", HIGH)]
        add_points(axes, real, limits, REAL, alpha=0.5)
        if fake is not None:
            add_points(axes, fake, limits, FAKE, alpha=0.6)
        add_legend(axes, legend)
        return to_array(figure)


def points_plot(samples: Tensor) -> np.ndarray:
    """Generated samples (N, 2) alone, a picture of (512, 512, 3) uint8."""
    limits = Limits.around(samples)
    outside = len(samples) - int(limits.contains(samples).sum())  # those that are not finite
    with new_figure() as figure:
        axes = add_axes(figure, limits)
        add_points(axes, samples, limits, FAKE, alpha=0.6)
        if outside:
            add_legend(axes, [(fake_label(outside), FAKE)])
        return to_array(figure)


def embedding(groups: Mapping[str, Tensor]) -> np.ndarray:
    """Two named groups of points (N, 2), a picture of (512, 512, 3) uint8."""
    limits = Limits.around(torch.cat(list(groups.values())), margin=0.05)
    colors = dict(zip(groups, (REAL, FAKE), strict=True))
    with new_figure() as figure:
        axes = add_axes(figure, limits)
        for name, points in groups.items():
            add_points(axes, points, limits, colors[name], alpha=0.6)
        add_legend(axes, list(colors.items()))
        return to_array(figure)


def transport_plan(
    real: Tensor, fake: Tensor, plan: Tensor, limits: Limits | None = None
) -> np.ndarray:
    """A line for each entry of `plan` (N, M), darker for more mass; (512, 512, 3) uint8.

    Args:
        real: Points (N, 2). The area of each dot is its mass, the sum of its row of `plan`.
        fake: Points (M, 2). The area of each dot is its mass, the sum of its column.
        plan: Mass moved from each real to each generated point.
        limits: What the plot shows; by default, all points.
    """
    plan = plan.detach().cpu().double()
    real, fake = real.detach().cpu().double(), fake.detach().cpu().double()
    share = plan / plan.max()
    rows, columns = (share > FAINTEST).nonzero(as_tuple=True)
    segments = torch.stack([real[rows], fake[columns]], 1).numpy()  # (K, 2, 2)
    colors = [(*unit_rgb(DARK), 0.1 + 0.6 * s) for s in share[rows, columns].tolist()]
    with new_figure() as figure:
        from matplotlib.collections import LineCollection

        axes = add_axes(figure, limits or Limits.around(torch.cat([real, fake])))
        lines = LineCollection(list(segments), colors=colors, linewidths=0.8)
        axes.add_collection(lines, autolim=False)
        for points, mass, color in ((real, plan.sum(1), REAL), (fake, plan.sum(0), FAKE)):
            x, y = points.T.numpy()
            area = (33 * mass / mass.mean()).numpy()  # 33 points^2: a dot of 8 pixels
            axes.scatter(x, y, s=area, color=unit_rgb(color), alpha=0.9, linewidths=0)
        add_legend(axes, [("real", REAL), ("fake", FAKE)])
        return to_array(figure)


def add_points(axes: "Axes", points: Tensor, limits: Limits, color: Color, alpha: float) -> None:
    """Dots for those of `points` (N, 2) that lie inside the limits."""
    inside = points[limits.contains(points)].detach().cpu().double()
    rgb = unit_rgb(color)
    axes.plot(*inside.T.numpy(), "o", color=rgb, alpha=alpha, markersize=3, markeredgewidth=0)


def principal(points: Tensor) -> Tensor:
    """Projects points (N, D) on their first two principal components, (N, 2) float64.

    Rows that are not finite are left out of the decomposition; their projections are NaN.
    """
    points = points.double()
    finite = points[points.isfinite().all(1)]
    centred = finite - finite.mean(0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors  # in ascending order
    return (points - finite.mean(0)) @ directions[:, [-1, -2]]
