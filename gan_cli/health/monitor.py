"""A run's health: readings taken beside the training, of which they leave no trace."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, Lookup, part_with
from gan_cli.games.draw import draw_all
from gan_cli.games.game import Game, Samples
from gan_cli.games.request import Request
from gan_cli.health.player_signals import Reading, player_signals
from gan_cli.health.sample_signals import BATCH, SampleSignals
from gan_cli.health.watch import Finding, Watch
from gan_cli.optim.optimizers import Player


class Health:
    """One process takes readings; nothing in here waits for another."""

    def __init__(
        self, game: Game, players: Mapping[str, Player], dataset: Dataset, device: torch.device
    ) -> None:
        self.game, self.players = game, players
        self.dataset, self.device = dataset, device
        self.weights_before: dict[str, list[Tensor]] = {}
        self.watch = Watch()

    @cached_property
    def sample_signals(self) -> SampleSignals:
        return SampleSignals(self.dataset, self.device)

    def before_update(self, player: str) -> None:
        """Before the player's last update ahead of a reading: a copy of the weights."""
        self.weights_before[player] = [p.detach().clone() for p in self.players[player].parameters]

    def read(self, step: int, values: Mapping[str, float]) -> tuple[Reading, list[Finding]]:
        """The signals beside the ledger's `values`, and the findings that appear or pass."""
        signals = player_signals(values) | self.updates() | self.samples()
        reading = {name: value for name, value in signals.items() if math.isfinite(value)}
        return reading, self.watch.take(step, reading)

    def updates(self) -> Reading:
        """The norm of an update over that of the weights, for each player."""
        norm, ratios = torch.nn.utils.get_total_norm, {}
        for player, before in self.weights_before.items():
            after = [parameter.detach() for parameter in self.players[player].parameters]
            moved = torch._foreach_sub(after, before)
            ratios[f"update_ratio/{player}"] = float(norm(moved) / norm(before))
        self.weights_before.clear()
        return ratios

    def samples(self) -> Reading:
        """Of the live networks, from the same seeds, labels and inputs at every reading."""
        if not (isinstance(self.game, Samples) and self.game.learns_to_sample):
            return {}
        return self.sample_signals.compare(draw_all(self.game, self.request))

    @cached_property
    def request(self) -> Request:
        index, labels = self.sample_signals.index, self.dataset.labels()
        label = None if labels is None else labels[index]
        target = self.game.targets(self.dataset.spec)[0]
        parts = {key: part_with(self.dataset, key) for key in self.game.inputs(target)}
        given = {key: Lookup(part, key, index % len(part)) for key, part in parts.items()}
        return Request(range(BATCH), label, given, target=target)

    def active(self) -> list[str]:
        """What is wrong now, in a word or two each."""
        return [finding.title for finding in self.watch.findings if finding.active]

    def findings(self) -> list[dict[str, Any]]:
        """All so far, the passed ones too, as plain data."""
        return list(self.watch.state_dict()["findings"])
