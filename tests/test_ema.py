"""The exponential moving average of weights against its definition."""

import pytest
import torch
from torch import nn

from gan_cli.config.schedules import Schedule
from gan_cli.config.schema import EMA
from gan_cli.games.game import Game
from gan_cli.training.ema import MovingAverage


class AveragedGame(Game):
    averaged = ("generator",)


def game_with(network: nn.Module) -> AveragedGame:
    return AveragedGame(nn.ModuleDict({"generator": network}), objective=None)


def test_half_of_the_old_value_is_left_after_a_half_life():
    live = nn.Linear(3, 2)
    average = MovingAverage(game_with(live), EMA(Schedule(1000.0), warmup=1e9))
    old = live.weight.detach().clone()
    with torch.no_grad():
        live.weight.add_(1.0)
    for step in range(10):
        average.update(step, images=100)
    assert torch.allclose(average.networks["generator"].weight, old + 0.5, atol=1e-6)


def test_warm_up_follows_the_images_seen():
    average = MovingAverage(game_with(nn.Linear(1, 1)), EMA(Schedule(1000.0), warmup=0.05))
    assert average.decay(0, 64) == pytest.approx(0.5 ** (64 / (0.05 * 64)))
    assert average.decay(10**6, 64) == pytest.approx(0.5 ** (64 / 1000))


def test_half_life_zero_copies():
    live = nn.Linear(2, 2)
    average = MovingAverage(game_with(live), EMA(Schedule(0.0)))
    with torch.no_grad():
        live.weight.fill_(7.0)
    average.update(0, 64)
    assert torch.equal(average.networks["generator"].weight, live.weight)


def test_running_statistics_are_averaged_and_counters_copied():
    live = nn.BatchNorm1d(2)
    average = MovingAverage(game_with(live), EMA(Schedule(64.0), warmup=1e9))
    with torch.no_grad():
        live.running_mean.fill_(1.0)
        live.num_batches_tracked.fill_(5)
    average.update(0, 64)
    mine = average.networks["generator"]
    assert torch.allclose(mine.running_mean, torch.full((2,), 0.5))
    assert mine.num_batches_tracked == 5
    assert not mine.training
    assert live.training
