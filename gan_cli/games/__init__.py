"""Games: one file per set of rules."""

from gan_cli.games import bigan, dann, dann_alternating, gan, inversion, latent_regressor, unrolled
from gan_cli.games.game import Batch, Game, Turn, games

__all__ = [
    "Batch",
    "Game",
    "Turn",
    "bigan",
    "dann",
    "dann_alternating",
    "games",
    "gan",
    "inversion",
    "latent_regressor",
    "unrolled",
]
