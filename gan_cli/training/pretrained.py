"""Networks that come trained, from another run: its options and weights, taken over once.

A checkpoint of the run that takes them holds them too, and from then on is all that it needs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from gan_cli.checkpoints.files import Checkpoints, State, load
from gan_cli.data.spec import Spec
from gan_cli.games import games
from gan_cli.sampling.request import known_runs
from gan_cli.sampling.sampler import load_weights, read_spec, sees_one
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

MISSING = "???"  # OmegaConf's mark of a mandatory value


def with_pretrained(composed: DictConfig, folder: Path | None) -> DictConfig:
    """The config with model.networks.ROLE, as the checkpoint has it, for each model.pretrained.

    Before anything is resolved, so that others may interpolate from it. `folder` is the run's own.
    """
    references = pretrained_of(composed)
    faults, nodes = [*misplaced(composed, references)], {}
    for role, reference in references.items() if not faults else ():
        try:
            given = OmegaConf.select(composed, f"model.networks.{role}") or {}
            nodes[role] = {**given, **node_of(role, reference, folder, given)}
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(*faults)
    if not nodes:
        return composed
    tree: Any = OmegaConf.to_container(composed, resolve=False)
    tree["model"]["networks"] |= nodes
    return OmegaConf.create(tree)


def pretrained_of(composed: DictConfig) -> dict[str, str]:
    node = OmegaConf.select(composed, "model.pretrained")
    if node is None:
        return {}
    references = OmegaConf.to_container(node, resolve=True)
    if not isinstance(references, dict):
        raise ConfigError(f"model.pretrained: expected keys and values, got {references!r}")
    return {str(k): MISSING if value is None else str(value) for k, value in references.items()}


def misplaced(composed: DictConfig, references: Mapping[str, str]) -> list[str]:
    """What names no network that the game takes, or no run."""
    name = OmegaConf.select(composed, "model.game.name")
    frozen = games.entries[name].frozen if name in games.entries else ()
    faults = []
    for role, reference in references.items():
        where = f"model.pretrained.{role}"
        if role not in frozen:
            kind = f"pretrained network of game '{name}'"
            faults.append(f"{where}: {unknown(kind, role, frozen)}")
        elif reference == MISSING:
            runs = ", ".join(known_runs()[:5]) or "none in ./outputs"
            faults.append(
                f"{where}: has no value; type {where}= the name of a run, or a checkpoint file. "
                f"Newest runs: {runs}"
            )
    return faults


def node_of(role: str, reference: str, folder: Path | None, given: Mapping[str, Any]) -> Any:
    """The config of the network `role`, from which what is `given` must not differ."""
    state = lender(role, reference, folder)
    nodes = state["config"]["model"]["networks"]
    if role not in nodes:
        raise ConfigError(
            f"model.pretrained.{role}: {reference} holds no network '{role}', only "
            f"{', '.join(nodes)}; name another run or checkpoint"
        )
    if not sees_one(state, role):
        raise ConfigError(
            f"model.pretrained.{role}: that of {reference} judges several samples together; name "
            "a run without model.game.packing"
        )
    node, where = nodes[role], f"model.networks.{role}"
    faults = [
        f"{where}.{key}: is {given[key]}, and that of {reference} is {node[key]}; leave it out"
        for key in given.keys() & node.keys()
        if given[key] != node[key]
    ]
    if faults:
        raise ConfigError(*faults)
    return node


def lender(role: str, reference: str, folder: Path | None) -> State:
    """The checkpoint meant by `reference`; once the run has one of its own, that."""
    own = None if folder is None else Checkpoints(folder / "checkpoints", 1, 0).latest()
    if own is None:
        return opened(reference, f"model.pretrained.{role}")
    known = own["config"]["model"].get("pretrained", {}).get(role)
    if known != reference:
        raise ConfigError(
            f"model.pretrained.{role}: the run in {folder} was trained with {known}; type that, "
            "or take another run=NAME"
        )
    return own


def opened(reference: str, where: str) -> State:
    """A checkpoint file, or the newest of a run."""
    path = Path(reference).expanduser()
    if path.is_file():
        return load(path)
    for folder in (Path("outputs") / reference / "checkpoints", path / "checkpoints"):
        state = Checkpoints(folder, 1, 0).latest()
        if state is not None:
            return state
    raise ConfigError(
        f"{where}: {unknown('run', reference, known_runs())} (below ./outputs); nor is it a file"
    )


def load_pretrained(
    networks: nn.ModuleDict, references: Mapping[str, str], spec: Spec, folder: Path
) -> None:
    """Their weights, averaged ones where there are any; ConfigError if they are for other data."""
    for role, reference in references.items():
        state = lender(role, reference, folder)
        shape = tuple(read_spec(state["spec"]).shape)
        if shape != tuple(spec.shape):
            raise ConfigError(
                f"model.pretrained.{role}: was trained on samples of shape {shape}, and those of "
                f"the data set are {tuple(spec.shape)}; type dataset= what it was trained on"
            )
        weights = state["averages"].get(role) or state["networks"][role]
        name = state["config"]["model"]["networks"][role]["name"]
        load_weights(networks[role], weights, name, f"model.networks.{role}")
