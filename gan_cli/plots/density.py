"""Plots of samples on the line: histograms, the density of the data, the critic's logits."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gan_cli.plots.critic_map import CriticFunction
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

BINS, CURVE_POINTS = 48, 480
LogDensity = Callable[[Tensor], Tensor]  # numbers (N,) to (N,) float64
HEADROOM = 1.25  # height of the plot, relative to the highest density in it


def density_plot(
    real: Tensor,
    fake: Tensor | None,
    log_density: LogDensity | None = None,
    critic: CriticFunction | None = None,
) -> np.ndarray:
    """Histograms of real (N, 1) and generated samples (M, 1), a picture of (512, 512, 3) uint8.

    The limits are those of the real samples; the legend counts the generated ones outside of them.
    `log_density`, where the law is known, replaces the histogram of the real samples. The logits
    of `critic` are scaled to the height of the plot; the legend gives their range. Without `fake`,
    the histogram of the real samples is shown with the law, if that is known.
    """
    span, edges = bins_of(real)
    x = span.left + torch.linspace(0, 1, CURVE_POINTS) * span.width
    heights = histogram(real, edges) if log_density is None else log_density(x).exp().cpu().numpy()
    limits = Limits(span.left, 0.0, span.width, HEADROOM * heights.max().item())
    legend = [("real", REAL)]
    if fake is not None:
        outside = int((~span.contains(fake.repeat(1, 2))).sum())
        legend.append((fake_label(outside), FAKE))
    with new_figure() as figure:
        axes = add_axes(figure, limits)
        if log_density is None:
            add_histogram(axes, heights, edges, REAL)
        else:
            axes.fill_between(x, heights, color=unit_rgb(REAL), alpha=0.3, linewidth=0)
            axes.plot(x, heights, color=unit_rgb(REAL))
        if fake is not None:
            add_histogram(axes, histogram(fake, edges), edges, FAKE)
        elif log_density is not None:
            add_histogram(axes, histogram(real, edges), edges, REAL)
        logits = critic(x[:, None].to(real.device)) if critic else None
        if logits is not None and logits.isfinite().all():
            low, high = logits.min().item(), logits.max().item()
            axes.plot(x, scaled(logits.detach().float().cpu(), limits.height), color=unit_rgb(DARK))
            legend.append((f"critic, {low:.3g} to {high:.3g}", DARK))
        add_legend(axes, legend)
        return to_array(figure)


def histogram_plot(samples: Tensor) -> np.ndarray:
    """Histogram of generated samples (N, 1) alone, a picture of (512, 512, 3) uint8."""
    span, edges = bins_of(samples)
    heights = histogram(samples, edges)
    outside = int((~span.contains(samples.repeat(1, 2))).sum())  # those that are not finite
    top = heights.max().item() or 1.0
    with new_figure() as figure:
        axes = add_axes(figure, Limits(span.left, 0.0, span.width, HEADROOM * top))
        add_histogram(axes, heights, edges, FAKE)
        if outside:
            add_legend(axes, [(fake_label(outside), FAKE)])
        return to_array(figure)


def bins_of(samples: Tensor) -> tuple[Limits, np.ndarray]:
    """Limits around samples (N, 1), whose height means nothing, and the edges of BINS bins."""
    span = Limits.around(samples.repeat(1, 2))
    return span, np.linspace(span.left, span.right, BINS + 1)


def histogram(samples: Tensor, edges: np.ndarray) -> np.ndarray:
    """Density of samples (N, 1) in each bin (BINS,); those outside the bins count, too."""
    counts, _ = np.histogram(samples.detach().cpu().double().numpy(), edges)
    return counts / len(samples) / np.diff(edges)


def add_histogram(axes: "Axes", heights: np.ndarray, edges: np.ndarray, color: Color) -> None:
    rgb = unit_rgb(color)
    axes.stairs(heights, edges, fill=True, color=rgb, alpha=0.3)
    axes.stairs(heights, edges, color=rgb, linewidth=1.5)


def scaled(logits: Tensor, height: float) -> Tensor:
    """Logits (N,) mapped linearly to between 5 % and 95 % of `height`."""
    spread = (logits.max() - logits.min()).clamp(min=1e-12)
    return height * (0.05 + 0.9 * (logits - logits.min()) / spread)
