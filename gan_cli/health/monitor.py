"""Reads the health signals of a run without changing its training."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, Lookup, part_with
from gan_cli.games.abilities import Samples
from gan_cli.games.draw import draw_all
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.health.findings import Finding, FindingTracker
from gan_cli.health.player_signals import (
    Reading,
    growth_signals,
    player_signals,
    start_scales,
)
from gan_cli.health.sample_signals import BATCH, SampleComparison
from gan_cli.health.verdict import Verdict
from gan_cli.optim.optimizers import Player


class Health:
    """Reads signals in one process, without communication, and tracks findings."""

    def __init__(
        self,
        game: Game,
        players: Mapping[str, Player],
        dataset: Dataset,
        device: torch.device,
        off: str = "",  # why no reading is ever taken
    ) -> None:
        self.game, self.players, self.off = game, players, off
        self.dataset, self.device = dataset, device
        self.weights_before: dict[str, list[Tensor]] = {}
        self.tracker = FindingTracker(game.advice)
        self.not_finite = ""  # the error that ended the run, if a value became infinite or NaN

    @cached_property
    def comparison(self) -> SampleComparison:
        return SampleComparison(self.dataset, self.device)

    def before_update(self, player: str) -> None:
        """Copies the player's weights; called before its last update ahead of a reading."""
        self.weights_before[player] = [p.detach().clone() for p in self.players[player].parameters]

    def remember_start(self, first: Mapping[str, float], losses: Collection[str]) -> None:
        """Takes the values of the first turns, once; `losses` names those that are losses."""
        self.tracker.start = self.tracker.start or start_scales(first, losses)

    def read(self, step: int, values: Mapping[str, float]) -> tuple[Reading, list[Finding]]:
        """Returns all signals, and the findings that have become active or been resolved.

        `values` are the means of the loss terms from `Meters.read`.
        """
        signals = player_signals(values) | growth_signals(values, self.tracker.start)
        signals |= self.update_signals() | self.sample_signals()
        reading = {name: value for name, value in signals.items() if not math.isnan(value)}
        changed = self.tracker.update(step, reading)
        return {name: value for name, value in reading.items() if math.isfinite(value)}, changed

    def update_signals(self) -> Reading:
        """Returns the norm of the last update divided by that of the weights, for each player."""
        norm, ratios = torch.nn.utils.get_total_norm, {}
        for player, before in self.weights_before.items():
            after = [parameter.detach() for parameter in self.players[player].parameters]
            moved = torch._foreach_sub(after, before)
            ratios[f"update_ratio/{player}"] = float(norm(moved) / norm(before))
        self.weights_before.clear()
        return ratios

    def sample_signals(self) -> Reading:
        """Returns signals of samples of the live networks.

        Seeds, labels and inputs are the same at every reading.
        """
        if not (isinstance(self.game, Samples) and self.game.learns_to_sample):
            return {}
        return self.comparison.signals(draw_all(self.game, self.request))

    @cached_property
    def request(self) -> Request:
        index, labels = self.comparison.index, self.dataset.labels()
        label = None if labels is None else labels[index]
        target = self.game.targets(self.dataset.spec)[0]
        parts = {key: part_with(self.dataset, key) for key in self.game.inputs(target)}
        given = {key: Lookup(part, key, index % len(part)) for key, part in parts.items()}
        return Request(range(BATCH), label, given, target=target)

    def verdict(self) -> Verdict:
        """Returns the verdict after the newest reading."""
        if self.not_finite:
            return Verdict("finding", f"diverged: {self.not_finite}")
        return Verdict("off", self.off) if self.off else self.tracker.verdict()

    def outcome(self) -> dict[str, Any]:
        """Returns the entries of run.json: the verdict and all findings."""
        return {"health": asdict(self.verdict()), "findings": self.findings()}

    def findings(self) -> list[dict[str, Any]]:
        """Returns all findings so far, also the resolved ones, as plain data."""
        return list(self.tracker.state_dict()["findings"])
