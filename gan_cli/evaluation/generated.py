"""The requests for the samples of a game that are scored."""

from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, Lookup, part_with
from gan_cli.games.abilities import HasDrawingProtocol
from gan_cli.games.game import Game
from gan_cli.games.request import Request

DRAW = 2**32  # draw k has the seeds from k * DRAW on


def request_of(
    game: Game,
    dataset: Dataset,
    count: int,
    seed: int,
) -> Request:
    """Returns a request for `count` samples with labels and inputs picked at random from the data.

    With seed 0 the samples have the seeds 0, 1, 2, ..., as those of gan-sample.
    """
    target = game.targets(dataset.spec)[0]
    given = {
        key: Lookup(part, key, picked(len(part), count, seed))
        for key, part in ((key, part_with(dataset, key)) for key in game.inputs(target))
    }
    labels = dataset.labels()
    label = None if labels is None else labels[picked(len(labels), count, seed)]
    return Request(seeds_of(seed, count), label, given, target=target)


def seeds_of(seed: int, count: int) -> range:
    """Returns the seeds of `count` samples; those of different `seed` do not overlap."""
    return range(seed * DRAW, seed * DRAW + count)


def picked(size: int, count: int, seed: int) -> Tensor:
    """Returns `count` random indices below `size`; they depend only on the arguments."""
    return torch.randint(size, (count,), generator=torch.Generator().manual_seed(seed))


def drawing_protocol(game: Game, request: Request) -> dict[str, Any]:
    """Returns the entries of metric cards about how samples are drawn, if they depend on it."""
    return dict(game.protocol(request)) if isinstance(game, HasDrawingProtocol) else {}
