"""The state of a run as checkpoints hold it, and how a run is restored from it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from gan_cli.checkpoints.changes import ABSENT, changes, consequence, equal, flat
from gan_cli.checkpoints.contents import Checkpoint, plain, whole_number
from gan_cli.checkpoints.files import State
from gan_cli.checkpoints.fit import nonfinite
from gan_cli.checkpoints.migrate import FORMAT, format_of
from gan_cli.checkpoints.misfits import keeps_moments, refuse_misfits
from gan_cli.checkpoints.parts import load_network, load_optimizer
from gan_cli.config.quoting import typed_word
from gan_cli.config.schema import Config
from gan_cli.optim.optimizers import options_of
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.tensor_files import first_line

log = logging.getLogger("gan_cli")


class Resumable(Protocol):
    """The parts of a run that a checkpoint holds; see `gan_cli.training.run.Run`."""

    step: int
    drawn: int
    rollbacks: int
    config: Config
    own: Mapping[str, Any]  # settings of the run so far, with keys that are new
    folder: Path
    dataset: Any  # has a spec and a fingerprint()
    game: Any  # has networks, and like the rest a state_dict()
    turns: Any  # split a batch into `accumulate` parts
    ema: Any  # has averaged networks by role
    players: Any  # have an optimizer and a gradient scaler each, by name
    scores: Any
    health: Any
    meters: Any


def state_of(run: Resumable) -> State:
    """Plain tensors and containers: networks, averages, optimizers, counters, config, data spec."""
    return {
        "format": FORMAT,
        "step": run.step,
        "drawn": run.drawn,
        "images": run.step * run.config.batch_size,
        "rollbacks": run.rollbacks,
        "accumulate": run.turns.accumulate,
        "config": plain(run.config),
        "spec": plain(run.dataset.spec),
        "data": run.dataset.fingerprint(),
        "networks": {role: net.state_dict() for role, net in run.game.networks.items()},
        "averages": {role: net.state_dict() for role, net in run.ema.networks.items()},
        "optimizers": {name: p.state_dict() for name, p in run.players.items()},
        "scalers": {name: p.scaler.state_dict() for name, p in run.players.items()},
        "game": run.game.state_dict(),
        "scores": run.scores.state_dict(),
        "health": run.health.tracker.state_dict(),
        "meters": run.meters.state_dict(),
    }


def rank_states(run: Resumable) -> State:
    """What differs between the processes of a run, of each of them; empty for one process.

    All processes wait for each other.
    """
    processes = run.turns.runtime.processes
    own = run.game.rank_state() if processes.world > 1 else {}
    return {"ranks": processes.gather(on_cpu(own))} if own else {}


def on_cpu(value: Any) -> Any:
    """Nested mappings of tensors, on the CPU."""
    if isinstance(value, Mapping):
        return {key: on_cpu(inner) for key, inner in value.items()}
    return value.cpu()


def restore(run: Resumable, state: State) -> None:
    """Continues `run` from `state`.

    Raises ConfigError if settings or data have changed or the format is an older one, StorageError
    if something in the state is missing or does not fit.
    """
    refuse_older(run, state)
    changed: list[str] = []
    Checkpoint.from_state(state, run.folder / "checkpoints")
    try:
        for key in ("drawn", "rollbacks"):
            whole_number(state, key)
        changed = refuse_changes(run, state)
        refuse_misfits(run, state, changed)
        load_state(run, state)
    except ConfigError:
        raise
    except (
        *(LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError),
    ) as error:
        if changed:
            raise ConfigError(
                f"allow_changes: the checkpoint of {run.folder} does not fit the new settings "
                f"({first_line(error)}); take another run=NAME, or leave out:",
                *changed,
            ) from error
        raise StorageError(
            f"{run.folder}: its newest checkpoint does not fit the run ({first_line(error)}); the "
            "file was edited, or the code has changed; start anew with another run=NAME"
        ) from error


def refuse_older(run: Resumable, state: State) -> None:
    number = format_of(state, f"the newest checkpoint in {run.folder}")
    if number < FORMAT:
        start = " ".join(
            typed_word(f"model.pretrained.{role}", run.folder) for role in state["networks"]
        )
        raise ConfigError(
            f"{run.folder} was trained by an earlier version of gan_cli (checkpoint format "
            f"{number}), which this one cannot resume; to start a new run from its weights, type "
            f"run=NAME {start}"
        )


def refuse_changes(run: Resumable, state: State) -> list[str]:
    """The changes that allow_changes=true has accepted.

    ConfigError lists changes that a resumed run cannot accept; the others are logged.
    """
    old, new = state["config"], plain(run.config)
    same_data = state["data"] == run.dataset.fingerprint()
    since = dict(flat(run.own))  # keys that the version that saved the checkpoint did not have
    found = [
        (change, consequence(change, old, new, same_data))
        for change in changes(old, new)
        if not (change.before == ABSENT and equal(since.get(change.key, ABSENT), change.now))
    ]
    refused = [str(change) for change, meaning in found if meaning is None]
    if not same_data:
        refused.append("dataset: its content has changed")
    if refused and not run.config.allow_changes:
        advice = "take another run=NAME, or allow_changes=true to continue with the new settings"
        raise ConfigError(f"{run.folder} was trained with other settings; {advice}:", *refused)
    for _, meaning in found:
        if meaning is not None:
            log.info(meaning)
    return refused


def load_state(run: Resumable, state: State) -> None:
    run.step, run.drawn, run.rollbacks = state["step"], state["drawn"], state["rollbacks"]
    run.turns.accumulate = accumulation(run, state)
    for role, network in run.game.networks.items():
        load_network(network, state, "networks", role)
    for role, network in run.ema.networks.items():
        load_network(network, state, "averages", role)
    for name, player in run.players.items():
        options = options_of(run.config.optimizer, name)
        if keeps_moments(state["config"]["optimizer"], run.config.optimizer, name):
            load_optimizer(player.optimizer, options, state, name)
        player.scaler.load_state_dict(state["scalers"][name])
    run.game.load_state_dict(state["game"])
    if ranks := state.get("ranks"):  # of a run of several processes, perhaps of another number
        run.game.load_rank_state(ranks[run.turns.runtime.processes.rank % len(ranks)])
    run.scores.load_state_dict(state["scores"])
    run.health.tracker.load_state_dict(state["health"])
    if "meters" in state:  # the first checkpoints of format 2 lack them
        run.meters.load_state_dict(state["meters"])


def accumulation(run: Resumable, state: State) -> int:
    """The parts of a batch: more than in the config if the memory did not suffice for those.

    Checkpoints of earlier versions have the config alone. A changed config decides by itself.
    """
    now, own = run.config.accumulate, run.turns.accumulate
    if "accumulate" not in state or state["config"].get("accumulate") != now:
        return int(own)
    parts = max(int(own), whole_number(state, "accumulate"))
    share = parts * run.turns.runtime.processes.world
    return parts if run.config.batch_size % share == 0 else int(own)


def nonfinite_weight(run: Resumable) -> str | None:
    """Names the first weight or statistic, also of an average, with an infinite or NaN element."""
    for kind, networks in (("", run.game.networks), ("the average of ", run.ema.networks)):
        for role, network in networks.items():
            name = nonfinite(network.state_dict())
            if name is not None:
                return f"{kind}{role}.{name}"
    return None
