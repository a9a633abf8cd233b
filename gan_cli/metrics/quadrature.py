"""Adaptive integration over a line of many intervals at once."""

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]  # (N,) to (N,), float64
ROUNDS = 40  # of bisection
MOST = 20_000  # intervals at a time
SEVENTEEN = torch.linspace(0, 1, 17, dtype=torch.float64)  # points of an interval to zoom into

# Gauss-Kronrod (7, 15) of QUADPACK (Piessens et al. 1983): positive nodes, and their weights.
NODES = (
    *(0.991455371120812639206854697526329, 0.949107912342758524526189684047851),
    *(0.864864423359769072789712788640926, 0.741531185599394439863864773280788),
    *(0.586087235467691130294144691693013, 0.405845151377397166906606412076961),
    *(0.207784955007898467600689403773245, 0.0),
)
KRONROD = (
    *(0.022935322010529224963732008058970, 0.063092092629978553290700663189204),
    *(0.104790010322250183839876322541518, 0.140653259715525918745189590510238),
    *(0.169004726639267902826583426598550, 0.190350578064785409913256402421014),
    *(0.204432940075298892414161999234649, 0.209482141084727828012999174891714),
)
GAUSS = (
    *(0.0, 0.129484966168869693270611432679082, 0.0, 0.279705391489276667901467771423780),
    *(0.0, 0.381830050505118944950369775488975, 0.0, 0.417959183673469387755102040816327),
)


def both_sides(half: tuple[float, ...], sign: int = 1) -> Tensor:
    return torch.tensor([*half, *(sign * x for x in half[-2::-1])], dtype=torch.float64)


X, K, G = both_sides(NODES, -1), both_sides(KRONROD), both_sides(GAUSS)


def integral(function: Function, points: Tensor, tolerance: float = 1e-11) -> float:
    """Of `function` from the first of the sorted `points` to the last, split at each of them.

    Intervals are halved until the errors, by the difference of the two rules, sum to less than
    `tolerance` of the integral, or no longer fall, being those of rounding.
    """
    left, right, done, before = points[:-1], points[1:], 0.0, float("inf")
    for turn in range(ROUNDS):
        half = (right - left) / 2
        x = (left + half)[:, None] + half[:, None] * X  # (intervals, 15)
        values = function(x.flatten()).view_as(x)
        found, errors = half * (values @ K), half * (values @ (K - G)).abs()
        total = done + found.sum().item()
        error = errors.sum().item()
        if not error > tolerance * abs(total):  # also if it is infinite
            return total
        if (turn > 4 and error > 0.7 * before) or len(left) > MOST:
            return total
        before = error
        rough = errors > tolerance / 10 * abs(total) / len(errors)
        done += found[~rough].sum().item()
        left, right = left[rough], right[rough]
        middle = (left + right) / 2
        left, right = torch.cat([left, middle]), torch.cat([middle, right])
    return total


def local_maxima(function: Function, grid: Tensor, zooms: int = 12) -> Tensor:
    """Where `function` is higher than on both sides, as far as `grid` shows, (K,)."""
    values = function(grid)
    inner = values[1:-1]
    at = ((inner >= values[:-2]) & (inner > values[2:])).nonzero().flatten() + 1
    left, right = grid[at - 1], grid[at + 1]
    for _ in range(zooms if len(at) else 0):
        x = left[:, None] + (right - left)[:, None] * SEVENTEEN  # (K, 17)
        best = function(x.flatten()).view_as(x).argmax(1, keepdim=True)
        left = x.gather(1, (best - 1).clamp(min=0)).flatten()
        right = x.gather(1, (best + 1).clamp(max=16)).flatten()
    return (left + right) / 2


def crossings(function: Function, grid: Tensor, zooms: int = 12) -> Tensor:
    """Where `function` changes its sign between points of `grid`, (K,)."""
    positive = function(grid) > 0
    at = (positive[1:] != positive[:-1]).nonzero().flatten()
    left, right, sign = grid[at], grid[at + 1], positive[at, None]
    for _ in range(zooms if len(at) else 0):
        x = left[:, None] + (right - left)[:, None] * SEVENTEEN  # (K, 17)
        changed = (function(x[:, 1:-1].flatten()).view(len(at), -1) > 0) != sign  # (K, 15)
        first = torch.where(changed.any(1), changed.int().argmax(1), 15)[:, None] + 1
        left, right = x.gather(1, first - 1).flatten(), x.gather(1, first).flatten()
    return left
