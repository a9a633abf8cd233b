"""What a checkpoint holds, and whether it may be taken up again."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from gan_cli.checkpoints.files import State
from gan_cli.utils.errors import ConfigError, NonFiniteError

if TYPE_CHECKING:
    from gan_cli.training.run import Run

FORMAT = 1
MAY_CHANGE = {
    *("steps", "every", "device", "metrics", "run", "imports", "check"),
    *("keep_last", "on_nonfinite", "allow_changes", "health"),
}


def state_of(run: "Run") -> State:
    """Plain tensors and containers: networks, averages, optimizers, counters, config, data spec."""
    return {
        "format": FORMAT,
        "step": run.step,
        "drawn": run.drawn,
        "images": run.step * run.config.batch_size,
        "rollbacks": run.rollbacks,
        "config": plain(run.config),
        "spec": plain(run.dataset.spec),
        "data": run.dataset.fingerprint(),
        "networks": {role: net.state_dict() for role, net in run.game.networks.items()},
        "averages": {role: net.state_dict() for role, net in run.average.networks.items()},
        "optimizers": {name: p.optimizer.state_dict() for name, p in run.players.items()},
        "scalers": {name: p.scaler.state_dict() for name, p in run.players.items()},
        "game": run.game.state_dict(),
        "scores": run.scores.state_dict(),
        "health": run.health.watch.state_dict(),
    }


def restore(run: "Run", state: State) -> None:
    """ConfigError lists what differs between the checkpoint's settings and the run's."""
    changed = differences(state["config"], plain(run.config))
    if state["data"] != run.dataset.fingerprint():
        changed.append("dataset: its content has changed")
    if changed and not run.config.allow_changes:
        advice = "take another run=NAME, or allow_changes=true to go on with the new settings"
        raise ConfigError(f"{run.folder} was trained with other settings; {advice}:", *changed)
    run.step, run.drawn, run.rollbacks = state["step"], state["drawn"], state["rollbacks"]
    for role, network in run.game.networks.items():
        network.load_state_dict(state["networks"][role])
    for role, network in run.average.networks.items():
        network.load_state_dict(state["averages"][role])
    for name, player in run.players.items():
        player.optimizer.load_state_dict(state["optimizers"][name])
        player.scaler.load_state_dict(state["scalers"][name])
    run.game.load_state_dict(state["game"])
    run.scores.load_state_dict(state["scores"])
    if "health" in state:  # not in checkpoints of earlier versions
        run.health.watch.load_state_dict(state["health"])


def check_finite(run: "Run") -> None:
    for role, network in run.game.networks.items():
        for name, parameter in network.named_parameters():
            if not torch.isfinite(parameter).all():
                raise NonFiniteError(f"step {run.step}: {role}.{name} is not finite")


def plain(value: Any) -> Any:
    """Dataclasses and tuples as dicts and lists: what weights_only loading and JSON know."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """ "key: old -> new" for every setting that shapes the training and is not the same."""
    before, now = (
        dict(flat({k: v for k, v in tree.items() if k not in MAY_CHANGE})) for tree in (old, new)
    )
    return [
        f"{key}: {before.get(key, 'absent')} -> {now.get(key, 'absent')}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
