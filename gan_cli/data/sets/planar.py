"""Two-dimensional densities without modes: what a generator has to bend and to cut."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.dataset import datasets
from gan_cli.data.sets.endless import Drawn
from gan_cli.data.sets.mixtures import check

SWISS_ROLL_SCALE = 7.5  # so that it fits into [-2, 2]: Gulrajani et al. 2017
SQUARE = 2.0  # side of a square of the checkerboard: Grathwohl et al. 2019


@datasets.register("swiss_roll")
class SwissRoll(Drawn):
    """A spiral, t (cos t, sin t) for t even in [1.5 pi, 4.5 pi], with Gaussian noise, over 7.5.

    Marsland 2009's roll seen from its side, as WGAN-GP has it (Gulrajani et al. 2017,
    arXiv:1704.00028, section 4): noise 0.25 before the division.
    """

    def __init__(self, *, noise: float = 0.25, count: int | None = 100_000, seed: int = 0) -> None:
        check(seed, noise=noise, count=count)
        super().__init__(partial(rolled, noise), count, seed)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real"})


@datasets.register("checkerboard")
class Checkerboard(Drawn):
    """Even on every other square, 2 wide, of `side` x `side` around zero.

    Grathwohl et al. 2019 (arXiv:1810.01367), figure 2, has 4 x 4 in [-4, 4].
    """

    def __init__(self, *, side: int = 4, count: int | None = 100_000, seed: int = 0) -> None:
        check(seed, side=side, count=count)
        super().__init__(partial(checkered, side), count, seed)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real"})


def rolled(noise: float, count: int, random: np.random.Generator) -> dict[str, Tensor]:
    turn = 1.5 * math.pi * (1 + 2 * random.random(count))  # (count,)
    spiral = turn[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    points = (spiral + noise * random.standard_normal((count, 2))) / SWISS_ROLL_SCALE
    return {"real": torch.from_numpy(points).float()}


def checkered(side: int, count: int, random: np.random.Generator) -> dict[str, Tensor]:
    corners = np.argwhere(np.indices((side, side)).sum(0) % 2 == 0)  # (squares, 2)
    picked = corners[random.integers(len(corners), size=count)]
    points = SQUARE * (picked + random.random((count, 2)) - side / 2)
    return {"real": torch.from_numpy(points).float()}
