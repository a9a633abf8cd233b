"""Changed settings that `allow_changes=true` cannot accept: the state of the run does not fit.

They are found before anything is loaded.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import nn

from gan_cli.checkpoints.contents import read_spec
from gan_cli.checkpoints.files import State
from gan_cli.checkpoints.fit import misfits, summary
from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.optim.optimizers import options_of
from gan_cli.utils.errors import ConfigError

log = logging.getLogger("gan_cli")


class Restorable(Protocol):
    """What of a run is compared with a checkpoint; see `gan_cli.training.run.Run`."""

    config: Config
    folder: Any
    dataset: Any  # has a spec
    game: Any  # has networks


def refuse_misfits(run: Restorable, state: State, changed: Sequence[str]) -> None:
    """ConfigError if the `changed` settings make another game, other networks or other samples."""
    if not changed:
        return
    faults = [*game_faults(run, state), *sample_faults(run, state)]
    faults = faults or [
        f"model.networks.{role}: {summary(wrong)}"
        for role, network in run.game.networks.items()
        if (wrong := network_misfits(network, state, role))
    ]
    if faults:
        raise ConfigError(
            f"allow_changes: the networks of {run.folder} do not fit the new settings; leave these "
            "changes out, or take another run=NAME:",
            *changed,
            *faults,
        )


def game_faults(run: Restorable, state: State) -> list[str]:
    before, now = state["config"]["model"]["game"]["name"], run.config.model.game["name"]
    return [] if before == now else [f"model: its game is '{before}', and now '{now}'"]


def sample_faults(run: Restorable, state: State) -> list[str]:
    old, new = read_spec(state["spec"]), run.dataset.spec
    if (old.kind, old.shape) == (new.kind, new.shape):
        return []
    return [f"dataset: its samples are {old.kind} {old.shape}, and now {new.kind} {new.shape}"]


def network_misfits(network: nn.Module, state: State, role: str) -> Any:
    weights = state["networks"].get(role)
    return misfits(network, weights if isinstance(weights, Mapping) else {})


def keeps_moments(old: Component, new: Component, player: str) -> bool:
    """Whether the moments of a player's optimizer can be used with its new options.

    If not, a line says that it starts without them.
    """
    before, now = options_of(old, player), options_of(new, player)
    added = bool(now.get("momentum")) and not before.get("momentum")
    if before["name"] == now["name"] and not added:
        return True
    what = f"{before['name']} -> {now['name']}" if not added else "momentum is new"
    log.info("optimizer: %s; the %s starts without moments", what, player)
    return False
