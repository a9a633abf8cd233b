"""What a critic thinks of every point: shades of its logits over the plane."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.plots.canvas import Limits

Judge = Callable[[Tensor], Tensor | None]  # samples (N, D) to logits (N,); None: cannot say
ASKED, DRAWN = 96, 960  # points a side at which the critic is asked, and pixels of the picture
BANDS = 9
LOW, MIDDLE, HIGH = (252, 224, 196), (255, 255, 255), (205, 219, 240)  # fake, undecided, real
LINE = 0.94  # of a shade's brightness, where it ends


def level_sets(limits: Limits, judge: Judge, device: torch.device) -> np.ndarray | None:
    """(960, 960, 3) uint8: each shade covers a ninth of the plane, the bluer the more real.

    By rank and not by value: a critic that falls to -1000 in a corner would leave one shade for all
    that lies near the data.
    """
    logits = judge(plane(limits, ASKED).to(device))
    if logits is None:
        return None
    logits = logits.float().cpu().view(1, 1, ASKED, ASKED)
    fine = F.interpolate(logits, size=(DRAWN, DRAWN), mode="bilinear")[0, 0]
    cuts = logits.flatten().quantile(torch.linspace(0, 1, BANDS + 1)[1:-1])
    band = torch.bucketize(fine, cuts).numpy()  # (960, 960) of 0 .. BANDS - 1
    colors = shades()[band]
    return (colors * np.where(borders(band), LINE, 1.0)[..., None]).round().astype(np.uint8)


def plane(limits: Limits, count: int) -> Tensor:
    """The centres of count x count cells, row by row from the top left, (count^2, 2)."""
    centres = (torch.arange(count) + 0.5) / count
    x = limits.left + centres * limits.width
    y = limits.bottom + centres.flip(0) * limits.height
    down, across = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([across.flatten(), down.flatten()], 1)


def shades() -> np.ndarray:
    """(BANDS, 3), from LOW over MIDDLE to HIGH."""
    at = np.linspace(0, 2, BANDS)
    channels = zip(LOW, MIDDLE, HIGH, strict=True)
    return np.stack([np.interp(at, (0, 1, 2), channel) for channel in channels], 1)


def borders(band: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the band changes within the next two pixels to the right or below."""
    edge = np.zeros(band.shape, bool)
    edge[:, :-2] |= band[:, 2:] != band[:, :-2]
    edge[:-2] |= band[2:] != band[:-2]
    return edge
