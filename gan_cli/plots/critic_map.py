"""Level sets of a critic over the plane."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.plots.figure import FRAME, Limits

CriticFunction = Callable[[Tensor], Tensor | None]
# Samples (N, D) to logits (N,), or None if the critic cannot score single samples.

GRID = 96  # points per side at which the critic is evaluated
BANDS = 9
LOW, MIDDLE, HIGH = (252, 224, 196), (255, 255, 255), (205, 219, 240)  # fake, undecided, real
BORDER = 0.94  # brightness of the line between two bands, relative to theirs


def level_sets(limits: Limits, critic: CriticFunction, device: torch.device) -> np.ndarray | None:
    """Bands of equal logits, (448, 448, 3) uint8: each covers a ninth of the area, bluer is higher.

    Bands are defined by the rank of the logits, not by their value: otherwise a critic that falls
    to -1000 in a corner would leave one colour for everything near the data. Returns None if the
    critic cannot score single samples or a logit is not finite.
    """
    logits = critic(grid_points(limits, GRID).to(device))
    if logits is None or not logits.isfinite().all():
        return None
    rank = ranks(logits.detach().float().cpu().flatten()).view(1, 1, GRID, GRID)
    fine = F.interpolate(rank, size=(2 * FRAME, 2 * FRAME), mode="bilinear")[0, 0]
    band = (fine * BANDS).long().clamp(0, BANDS - 1).numpy()
    palette = np.concatenate([band_colors(), BORDER * band_colors()])
    colors = palette[band + BANDS * borders(band)]  # at twice the size, to be antialiased
    rows = (colors[::2] + colors[1::2]) / 2
    return ((rows[:, ::2] + rows[:, 1::2]) / 2).round().astype(np.uint8)


def grid_points(limits: Limits, count: int) -> Tensor:
    """Centres of count x count cells, row by row from the top left, (count^2, 2)."""
    centres = (torch.arange(count) + 0.5) / count
    x = limits.left + centres * limits.width
    y = limits.bottom + centres.flip(0) * limits.height
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()], 1)


def ranks(values: Tensor) -> Tensor:
    """(N,) to fractional ranks in (0, 1); equal values share their mean rank.

    A constant critic is thus at 0.5 everywhere, neither high nor low.
    """
    _, index, counts = values.unique(return_inverse=True, return_counts=True)
    return ((counts.cumsum(0) - counts / 2) / len(values))[index]


def band_colors() -> np.ndarray:
    """(BANDS, 3) float32, from LOW through MIDDLE to HIGH."""
    at = np.linspace(0, 2, BANDS)
    channels = zip(LOW, MIDDLE, HIGH, strict=True)
    colors = [np.interp(at, (0, 1, 2), channel) for channel in channels]
    return np.stack(colors, 1).astype(np.float32)


def borders(band: np.ndarray) -> np.ndarray:
    """(H, W) bool, True where the band changes within the next two pixels right or down."""
    edge = np.zeros(band.shape, bool)
    edge[:, :-2] |= band[:, 2:] != band[:, :-2]
    edge[:-2] |= band[2:] != band[:-2]
    return edge
