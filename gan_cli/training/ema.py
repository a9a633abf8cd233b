"""Exponential moving average (EMA) of the weights of networks."""

import copy
from typing import Any

import torch
from torch import nn

from gan_cli.config.schema import EMA
from gan_cli.games.game import Game

BatchNorm = nn.modules.batchnorm._BatchNorm
Pair = tuple[Any, Any]  # (averaged, live) tensors


class MovingAverage:
    """Averages of the networks `game.averaged` in eval mode, and the `game` with them.

    The decay of one update is 0.5^(batch / half-life), with the half-life in images, so that it
    does not depend on the batch size (as in the training code of Karras et al. 2020,
    arXiv:1912.04958). Running statistics of batch norm are averaged like parameters, which fits
    the averaged parameters better; other buffers are copied.
    """

    def __init__(self, game: Game, config: EMA) -> None:
        self.config = config
        self.live = {role: game.networks[role] for role in game.averaged}
        self.networks = {role: copy.deepcopy(net).eval() for role, net in self.live.items()}
        self.game = game.with_networks(self.networks)
        self.pairs = [
            p for role, net in self.live.items() for p in averaged_pairs(self.networks[role], net)
        ]
        self.copied = [
            p for role, net in self.live.items() for p in copied_pairs(self.networks[role], net)
        ]

    def decay(self, step: int, images: int) -> float:
        """Returns the decay of the update after `step`; each step has `images` images."""
        half_life = min(self.config.half_life(step), self.config.warmup * (step + 1) * images)
        return 0.5 ** (images / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, step: int, images: int) -> None:
        averages, lives = zip(*self.pairs, strict=True)
        torch._foreach_lerp_(averages, lives, 1 - self.decay(step, images))
        if self.copied:
            averages, lives = zip(*self.copied, strict=True)
            torch._foreach_copy_(averages, lives)


def averaged_pairs(average: nn.Module, live: nn.Module) -> list[Pair]:
    """Returns pairs of parameters and of the running statistics of batch norm."""
    pairs: list[Pair] = list(zip(average.parameters(), live.parameters(), strict=True))
    for mine, theirs in zip(average.modules(), live.modules(), strict=True):
        if isinstance(mine, BatchNorm) and isinstance(theirs, BatchNorm):
            statistics = (mine.running_mean, mine.running_var)
            others = (theirs.running_mean, theirs.running_var)
            pairs += [(a, b) for a, b in zip(statistics, others, strict=True) if a is not None]
    return pairs


def copied_pairs(average: nn.Module, live: nn.Module) -> list[Pair]:
    """Returns pairs of the other buffers, such as counters and spectral norm's vectors."""
    statistics = {id(mine) for mine, _ in averaged_pairs(average, live)}
    buffers = zip(average.buffers(), live.buffers(), strict=True)
    return [(mine, theirs) for mine, theirs in buffers if id(mine) not in statistics]
