"""Which samples of a game are scored."""

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, Lookup, part_with
from gan_cli.games.game import Game
from gan_cli.games.request import Request

DRAW = 2**32  # seeds of one draw: those of draw k begin at k times this


def request_of(
    game: Game,
    dataset: Dataset,
    count: int,
    seed: int,
    truncation: float | None = None,
) -> Request:
    """`count` samples for labels and inputs of data picked at random.

    Draw 0 has the seeds 0, 1, 2, ...: the samples that gan-sample shows under the same labels.
    """
    target = game.targets(dataset.spec)[0]
    given = {
        key: Lookup(part, key, picked(len(part), count, seed))
        for key, part in ((key, part_with(dataset, key)) for key in game.inputs(target))
    }
    labels = dataset.labels()
    label = None if labels is None else labels[picked(len(labels), count, seed)]
    return Request(seeds_of(seed, count), label, given, truncation=truncation, target=target)


def seeds_of(draw: int, count: int) -> range:
    return range(draw * DRAW, draw * DRAW + count)


def picked(size: int, count: int, seed: int) -> Tensor:
    """`count` places in data of this size; equal for data that lie side by side."""
    return torch.randint(size, (count,), generator=torch.Generator().manual_seed(seed))
