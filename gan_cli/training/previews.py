"""Samples of any shape as a picture to look at while a run goes on."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.data.ground_truth import Density, Known
from gan_cli.games.game import Batch, Game, Judges
from gan_cli.plots.critic_map import Judge
from gan_cli.plots.density import density_plot
from gan_cli.plots.scatter import scatter
from gan_cli.utils.images import grid, to_uint8

POINTS = 2000  # vectors a picture


class Previews:
    """The same latents and the same first samples of the data, over and over."""

    def __init__(
        self, game: Game, dataset: Dataset, batches: Iterator[Batch], batch_size: int
    ) -> None:
        count = game.pictured if len(dataset.spec.shape) == 3 else POINTS
        first = list(islice(batches, -(-count // batch_size)))
        self.batch = {key: torch.cat([batch[key] for batch in first])[:count] for key in first[0]}
        self.game, self.dataset = game, dataset

    def pictures(self) -> Iterator[tuple[str, np.ndarray]]:
        """(name, picture of (height, width, C) uint8) of all that the game shows."""
        density = self.dataset.density() if isinstance(self.dataset, Known) else None
        shown = self.game.preview(self.batch, torch.Generator().manual_seed(0))
        for name, samples in shown.items():
            picture = picture_of(samples, self.batch, density, judge_of(self.game))
            if picture is not None:
                yield name, picture


def judge_of(game: Game) -> Judge | None:
    """The critic's logits of samples on the device, of games that have such a critic."""
    return game.judge if isinstance(game, Judges) else None


def picture_of(
    samples: Tensor, batch: Batch, density: Density | None = None, judge: Judge | None = None
) -> np.ndarray | None:
    """(height, width, C) uint8: a grid of images (N, C, H, W), a plot of vectors (N, 1) or (N, 2).

    None of longer vectors. Vectors are drawn beside the real ones of `batch`, and beside what
    `density` and `judge` know of the line or the plane.
    """
    if samples.ndim == 4:
        return grid(to_uint8(samples))
    if samples.shape[1] == 1:
        return density_plot(batch["real"], samples, density, judge)
    return scatter(batch["real"], samples, judge) if samples.shape[1] == 2 else None
