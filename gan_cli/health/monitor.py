"""A run's health: readings taken beside the training, of which they leave no trace."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.games.game import Game, Samples
from gan_cli.health.player_signals import Reading, of_players
from gan_cli.health.sample_signals import BATCH, Pictures
from gan_cli.health.watch import Finding, Watch
from gan_cli.optim.optimizers import Player
from gan_cli.utils.modes import evaluation_mode


class Health:
    """One process takes readings; nothing in here waits for another."""

    def __init__(
        self, game: Game, players: Mapping[str, Player], dataset: Dataset, device: torch.device
    ) -> None:
        self.game, self.players = game, players
        self.dataset, self.device = dataset, device
        self.weighed: dict[str, list[Tensor]] = {}
        self.watch = Watch()

    @cached_property
    def pictures(self) -> Pictures:
        return Pictures(self.dataset, self.device)

    def weigh(self, player: str) -> None:
        """Before the player's last update ahead of a reading: a copy of the weights."""
        self.weighed[player] = [p.detach().clone() for p in self.players[player].parameters]

    def read(self, step: int, values: Mapping[str, float]) -> tuple[Reading, list[Finding]]:
        """The signals beside the ledger's `values`, and the findings that appear or pass."""
        signals = of_players(values) | self.updates() | self.samples()
        reading = {name: value for name, value in signals.items() if math.isfinite(value)}
        return reading, self.watch.take(step, reading)

    def updates(self) -> Reading:
        """The norm of an update over that of the weights, for each player."""
        norm, ratios = torch.nn.utils.get_total_norm, {}
        for player, before in self.weighed.items():
            after = [parameter.detach() for parameter in self.players[player].parameters]
            moved = torch._foreach_sub(after, before)
            ratios[f"update_ratio/{player}"] = float(norm(moved) / norm(before))
        self.weighed.clear()
        return ratios

    def samples(self) -> Reading:
        """Of the live networks, from the same latents at every reading."""
        if not isinstance(self.game, Samples):
            return {}
        # A network may draw noise of its own, so the global streams are seeded, then put back.
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.no_grad(), evaluation_mode(self.game.networks), torch.random.fork_rng(devices):
            torch.manual_seed(0)
            rng = torch.Generator().manual_seed(0)
            return self.pictures.compare(self.game.sample(BATCH, rng, self.pictures.labels))

    def active(self) -> list[str]:
        """What is wrong now, in a word or two each."""
        return [finding.title for finding in self.watch.findings if finding.active]

    def findings(self) -> list[dict[str, Any]]:
        """All so far, the passed ones too, as plain data."""
        return list(self.watch.state_dict()["findings"])
