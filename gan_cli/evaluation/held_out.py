"""What a game makes of held-out inputs, and what it should make of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, HasHeldOut
from gan_cli.data.kinds import Kind, kind_of
from gan_cli.games.draw import draw
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.utils.errors import ConfigError


class Stored:
    """Stored samples (N, *shape), which are converted to model form when indexed."""

    def __init__(self, samples: Tensor, kind: Kind) -> None:
        self.samples, self.kind = samples, kind

    def __getitem__(self, positions: Sequence[int]) -> Tensor:
        return self.kind.to_model(self.samples[list(positions)])


def held_out_pairs(game: Game, dataset: Dataset, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Returns outputs of at most `count` held-out inputs, and the true ones, in stored form.

    The noise of output i has the seed `seed` + i.
    """
    spec, target = dataset.spec, game.targets(dataset.spec)[0]
    if not isinstance(dataset, HasHeldOut):
        raise ConfigError("dataset: has no held-out pairs; use dataset=paired")
    held = dataset.held_out(count)
    lacking = {target, *game.inputs(target)} - held.keys()
    if lacking:
        raise ConfigError(f"dataset: holds out no {', '.join(sorted(lacking))}; use dataset=paired")
    given = {key: Stored(held[key], kind_of(spec.fields[key])) for key in game.inputs(target)}
    seeds = range(seed, seed + len(held[target]))
    label = held[spec.label] if game.labelled and spec.label is not None else None
    kind = kind_of(spec.fields[target])
    outputs = draw(game, Request(seeds, label, given, target=target))
    return torch.cat([kind.to_stored(samples).cpu() for samples in outputs]), held[target]


def held_out_inputs(game: Game, dataset: Dataset, count: int) -> Tensor | None:
    """Returns the first input of `held_out_pairs`, in stored form; None of games without inputs."""
    keys = game.inputs(game.targets(dataset.spec)[0])
    return dataset.held_out(count)[keys[0]] if keys and isinstance(dataset, HasHeldOut) else None
