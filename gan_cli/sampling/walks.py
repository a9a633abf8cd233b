"""Paths through latents, which interpolations show."""

from itertools import pairwise

import torch
from torch import Tensor

from gan_cli.networks.layers.latent import Prior, slerp
from gan_cli.sampling.options import Way


def walk(
    latents: Tensor, between: int, prior: Prior | None, way: Way | None = None, loop: bool = False
) -> Tensor:
    """Returns latents (K, D) with `between` interpolated ones from each to the next.

    A loop also leads from the last latent to the first, which is repeated as its end. By default
    the way is slerp for a normal prior, and linear for a uniform one, or if there is none.
    """
    way = way or ("slerp" if prior == "normal" else "linear")
    stops = torch.cat([latents, latents[:1]]) if loop else latents
    if way == "cubic":
        path = cubic(latents, between, loop, keeps_variance=prior == "normal")
    else:
        function = slerp if way == "slerp" else torch.lerp
        times = (torch.arange(between + 1)[:, None] / (between + 1)).to(latents)  # (T, 1)
        parts = [function(a.expand(len(times), -1), b, times) for a, b in pairwise(stops)]
        path = torch.cat([*parts, stops[-1:]])
    path[:: between + 1] = stops  # without rounding
    return path


def cubic(latents: Tensor, between: int, loop: bool, keeps_variance: bool) -> Tensor:
    """Returns a cubic spline through latents (K, D), with steps of equal time.

    It has continuous first and second derivatives, also where a loop closes; a path that is open is
    straight at its ends. Independent normal latents between two of them would have a variance of
    less than 1, as on a straight line; `keeps_variance` divides by its root, which depends on the
    time alone.
    """
    from scipy.interpolate import CubicSpline  # takes 0.3 s

    count = len(latents)
    knots = torch.eye(count, dtype=torch.float64)
    if loop:
        knots = torch.cat([knots, knots[:1]])
    spline = CubicSpline(range(len(knots)), knots, bc_type="periodic" if loop else "natural")
    steps = (len(knots) - 1) * (between + 1)
    weights = torch.from_numpy(spline(torch.arange(steps + 1).double() / (between + 1)))  # (N, K)
    if keeps_variance:
        weights /= weights.norm(dim=1, keepdim=True)
    return (weights @ latents.double()).to(latents)
