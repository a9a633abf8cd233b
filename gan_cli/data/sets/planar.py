"""Two-dimensional distributions without Gaussian modes: a spiral and a checkerboard."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.ranges import Depth, Positive, Samples, Seed
from gan_cli.data.dataset import datasets
from gan_cli.data.sets.endless import SampledDataset

SWISS_ROLL_SCALE = 7.5  # divisor; points lie in about [-2, 2]: Gulrajani et al. 2017
SQUARE = 2.0  # side of a square of the checkerboard: Grathwohl et al. 2019


@datasets.register("swiss_roll")
class SwissRoll(SampledDataset):
    """A spiral (t cos t, t sin t) / 7.5 with t uniform in [1.5 pi, 4.5 pi], and Gaussian noise.

    It is the projection of the Swiss roll (Marsland 2009) used by WGAN-GP (Gulrajani et al. 2017,
    arXiv:1704.00028, section 4). The standard deviation `noise` applies before the division.
    """

    def __init__(
        self, *, noise: Positive = 0.25, count: Samples | None = 100_000, seed: Seed = 0
    ) -> None:
        super().__init__(partial(draw_swiss_roll, noise), count, seed)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real"})


@datasets.register("checkerboard")
class Checkerboard(SampledDataset):
    """Uniform on every other of `side` x `side` squares of width 2, centred at zero.

    Grathwohl et al. 2019 (arXiv:1810.01367), figure 2, use 4 x 4 squares in [-4, 4].
    """

    def __init__(self, *, side: Depth = 4, count: Samples | None = 100_000, seed: Seed = 0) -> None:
        super().__init__(partial(draw_checkerboard, side), count, seed)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real"})


def draw_swiss_roll(noise: float, count: int, random: np.random.Generator) -> dict[str, Tensor]:
    turn = 1.5 * math.pi * (1 + 2 * random.random(count))  # (count,)
    spiral = turn[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    points = (spiral + noise * random.standard_normal((count, 2))) / SWISS_ROLL_SCALE
    return {"real": torch.from_numpy(points).float()}


def draw_checkerboard(side: int, count: int, random: np.random.Generator) -> dict[str, Tensor]:
    corners = np.argwhere(np.indices((side, side)).sum(0) % 2 == 0)  # (squares, 2)
    picked = corners[random.integers(len(corners), size=count)]
    points = SQUARE * (picked + random.random((count, 2)) - side / 2)
    return {"real": torch.from_numpy(points).float()}
