"""The latents of a game, at which a metric draws samples."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gan_cli.data.spec import Field
from gan_cli.games.draw import BATCH, draw
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.games.spaces import Space, at, points_of
from gan_cli.networks.layers.latent import HasStyles, Prior
from gan_cli.runtime.numerics import exact_numerics

OTHER = 2**31  # added to a seed for the second point of its pair; there are fewer samples


@dataclass(frozen=True)
class GameLatents:
    """The latents of a game's generator, for the labels and seeds of a request."""

    game: Game
    request: Request
    field: Field

    @property
    def prior(self) -> Prior:
        return self.game.networks["generator"].prior  # type: ignore[return-value]

    @property
    def has_styles(self) -> bool:
        return isinstance(self.game.networks["generator"], HasStyles)

    def pairs(self, count: int, space: Space) -> tuple[Tensor, Tensor]:
        """Returns two points (N, *point) for each of N samples, on the CPU."""
        conditions = self.conditions(count)
        others = replace(conditions, seeds=[seed + OTHER for seed in conditions.seeds])
        first, second = (points_of(self.game, side, space) for side in (conditions, others))
        return first, second

    def conditions(self, count: int) -> Request:
        """Returns the request for `count` samples, whose labels are used in turn."""
        given = self.request
        labels = given.label
        if labels is not None:
            labels = labels[torch.arange(count) % len(labels)]
        return replace(given, seeds=range(given.seeds[0], given.seeds[0] + count), label=labels)

    def samples(self, points: Tensor, space: Space) -> Iterator[Tensor]:
        """Yields samples (B, M, *shape) in model form at points (N, M, *point)."""
        count, each = points.shape[:2]
        repeated = self.conditions(count).select([i for i in range(count) for _ in range(each)])
        request = at(repeated, points.flatten(0, 1), space)
        with exact_numerics(self.game.device):
            for batch in draw(self.game, request, max(BATCH // each, 1) * each):
                yield batch.unflatten(0, (-1, each))


def latents_of(game: Game, request: Request, field: Field) -> GameLatents | None:
    """Returns the latents of a game; None if it has no generator that takes one."""
    if "generator" not in game.networks or not hasattr(game.networks["generator"], "latent_dim"):
        return None
    return GameLatents(game, request, field)
