"""Exponential moving average of the networks that a game wants averaged."""

import copy
from typing import Any

import torch
from torch import nn

from gan_cli.config.schema import EMA
from gan_cli.games.game import Game

BatchNorm = nn.modules.batchnorm._BatchNorm
Pair = tuple[Any, Any]  # (averaged, live) tensors


class MovingAverage:
    """Averaged copies in eval mode, and `game`: the same rules played with them.

    The decay of one update is 0.5^(batch / half-life), so that it means the same at every batch
    size (Karras et al. 2020, arXiv:1912.04958, their training code). Running statistics of batch
    norm are averaged like parameters, since they describe the averaged ones better; other buffers
    are copied.
    """

    def __init__(self, game: Game, config: EMA) -> None:
        self.config = config
        self.live = {role: game.networks[role] for role in game.averaged}
        self.networks = {role: copy.deepcopy(net).eval() for role, net in self.live.items()}
        self.game = game.with_networks(self.networks)
        self.pairs = [
            pair for role, net in self.live.items() for pair in blended(self.networks[role], net)
        ]
        self.copied = [
            pair for role, net in self.live.items() for pair in copied(self.networks[role], net)
        ]

    def decay(self, step: int, images: int) -> float:
        """Of the update after `step`, when `step` * `images` images were seen before."""
        half_life = min(self.config.half_life(step), self.config.warmup * (step + 1) * images)
        return 0.5 ** (images / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, step: int, images: int) -> None:
        averages, lives = zip(*self.pairs, strict=True)
        torch._foreach_lerp_(averages, lives, 1 - self.decay(step, images))
        for average, live in self.copied:
            average.copy_(live)


def blended(average: nn.Module, live: nn.Module) -> list[Pair]:
    """Parameters, and the running statistics of batch norm."""
    pairs: list[Pair] = list(zip(average.parameters(), live.parameters(), strict=True))
    for mine, theirs in zip(average.modules(), live.modules(), strict=True):
        if isinstance(mine, BatchNorm) and isinstance(theirs, BatchNorm):
            statistics = (mine.running_mean, mine.running_var)
            others = (theirs.running_mean, theirs.running_var)
            pairs += [(a, b) for a, b in zip(statistics, others, strict=True) if a is not None]
    return pairs


def copied(average: nn.Module, live: nn.Module) -> list[Pair]:
    """The buffers that are not blended: counters, spectral norm's vectors."""
    statistics = {id(mine) for mine, _ in blended(average, live)}
    buffers = zip(average.buffers(), live.buffers(), strict=True)
    return [(mine, theirs) for mine, theirs in buffers if id(mine) not in statistics]
