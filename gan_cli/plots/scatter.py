"""Pictures of points in the plane: real and generated samples, what moves one to the other."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gan_cli.plots.canvas import Canvas, Limits
from gan_cli.plots.critic_map import HIGH, LOW, Judge, level_sets

REAL, FAKE, FLOW = (84, 112, 148), (242, 129, 32), (60, 60, 60)


def scatter(real: Tensor, fake: Tensor, judge: Judge | None = None) -> np.ndarray:
    """Real (N, 2) below generated samples (M, 2), uint8 (512, 512, 3).

    The limits are those of the real ones: pictures of one training then have the same. How many
    lie outside is told, so that a generator that has left the picture is not missed. Behind them
    are the level sets of the critic, if there is one of single samples.
    """
    limits = Limits.around(real)
    shades = level_sets(limits, judge, real.device) if judge else None
    canvas = Canvas(limits, shades)
    canvas.dots(real, [2.0] * len(real), REAL, 0.5)
    canvas.dots(fake, [2.0] * len(fake), FAKE, 0.6)
    outside = len(fake) - int(canvas.limits.holds(fake).sum())
    legend = [("real", REAL), (f"fake ({outside} outside)" if outside else "fake", FAKE)]
    legend += [("critic low", LOW), ("critic high", HIGH)] if shades is not None else []
    canvas.legend(legend)
    return canvas.picture()


def points_plot(samples: Tensor) -> np.ndarray:
    """Generated samples (N, 2) alone; uint8 (512, 512, 3)."""
    canvas = Canvas(Limits.around(samples))
    canvas.dots(samples, [2.0] * len(samples), FAKE, 0.6)
    return canvas.picture()


def principal(points: Tensor) -> Tensor:
    """(N, D) to (N, 2): the directions of largest variance (principal components), centred."""
    centred = points.double() - points.double().mean(0)
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors  # in ascending order
    return centred @ directions[:, [-1, -2]]


def embedding(groups: Mapping[str, Tensor]) -> np.ndarray:
    """Groups of points (N, 2) by name, each in a colour of its own; uint8 (512, 512, 3)."""
    canvas = Canvas(Limits.around(torch.cat(list(groups.values())), margin=0.05))
    colors = dict(zip(groups, (REAL, FAKE), strict=True))
    for name, points in groups.items():
        canvas.dots(points, [2.0] * len(points), colors[name], 0.6)
    canvas.legend(list(colors.items()))
    return canvas.picture()


def transport_plan(
    real: Tensor, fake: Tensor, plan: Tensor, limits: Limits | None = None
) -> np.ndarray:
    """A line for every entry of `plan` (N, M), the darker the more it moves; uint8 (512, 512, 3).

    real (N, 2), fake (M, 2); a dot's area is the mass that starts or ends there.
    """
    canvas = Canvas(limits or Limits.around(torch.cat([real, fake])))
    opacity = plan / plan.max()
    for i, j in (opacity > 0.01).nonzero().tolist():
        canvas.line(torch.stack([real[i], fake[j]]), FLOW, 0.1 + 0.6 * opacity[i, j].item())
    for points, mass, color in ((real, plan.sum(1), REAL), (fake, plan.sum(0), FAKE)):
        radius = 4 * (mass / mass.mean()).sqrt()
        canvas.dots(points, radius.tolist(), color, 0.9)
    canvas.legend([("real", REAL), ("fake", FAKE)])
    return canvas.picture()
