"""Initializes networks with weights of another run: model.pretrained.ROLE=RUN or a file.

For a network that its game keeps frozen, both options and weights come from the other run. One that
is trained further (fine-tuning) is built from the config, and the weights are loaded by name. Once
a run has a checkpoint of its own, that of the other run is no longer needed.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.checkpoints.choice import find, newest, newest_runs
from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.config.registry import Component
from gan_cli.config.schema import Model
from gan_cli.data.spec import Spec
from gan_cli.games import games
from gan_cli.games.game import Game
from gan_cli.games.restore import load_weights, takes_single_samples
from gan_cli.training.finetuning import load_trained
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import as_typed, unknown

MISSING = "???"  # OmegaConf's mark of a mandatory value


def with_pretrained(composed: DictConfig, folder: Path | None) -> DictConfig:
    """Returns the config with the options of frozen networks, read from their checkpoints.

    Call it before interpolations are resolved, since other values may refer to these options.
    `folder` is that of the run itself.
    """
    references, game = references_of(composed), OmegaConf.select(composed, "model.game.name")
    if game not in games.entries:  # reported later
        return composed
    rules = games.entries[game]
    faults = [*role_errors(references, rules, game), *strict_errors(composed, references, rules)]
    if faults:
        raise ConfigError(*faults)
    if not references:
        return composed
    own = None if folder is None else newest(folder)
    nodes: dict[str, Component] = {}

    def read_options(role: str, reference: str) -> None:
        source = source_of(role, reference, own)
        check_has_role(source, role, reference)
        if role in rules.frozen:
            given: Any = OmegaConf.select(composed, f"model.networks.{role}") or {}
            nodes[role] = {**given, **frozen_node(source, role, reference, given)}

    for_each(references, read_options)
    tree: Any = OmegaConf.to_container(composed, resolve=False)
    tree["model"]["networks"] |= nodes
    return OmegaConf.create(tree)


def load_pretrained(game: Game, model: Model, spec: Spec, folder: Path) -> None:
    """Loads the weights, averaged ones if there are any, into the networks of `game`.

    `spec` is that of the data set. If the run has a checkpoint in `folder`, its trained networks
    are loaded from there later. Raises ConfigError if weights do not fit.
    """
    if not model.pretrained:
        return
    own = newest(folder)

    def load(role: str, reference: str) -> None:
        source, network = source_of(role, reference, own), game.networks[role]
        if role in game.frozen:
            check_shape(source, role, spec)
            load_weights(network, source.weights(role, True), f"model.pretrained.{role}")
        elif own is None:
            load_trained(network, source, role, reference, model, spec)

    for_each(model.pretrained, load)
    game.constrain()


def for_each(references: Mapping[str, str], action: Callable[[str, str], None]) -> None:
    """Calls `action` for each (role, reference); raises one ConfigError for the faults of all."""
    faults: list[str] = []
    for role, reference in references.items():
        try:
            action(role, reference)
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(*faults)


def references_of(composed: DictConfig) -> dict[str, str]:
    """Returns model.pretrained as typed: a run or a file for each role."""
    node = OmegaConf.select(composed, "model.pretrained")
    if not isinstance(node, DictConfig | None):
        raise ConfigError(f"model.pretrained: expected keys and values, got {as_typed(node)}")
    references: Any = {} if node is None else OmegaConf.to_container(node, resolve=True)
    return {str(k): MISSING if value is None else str(value) for k, value in references.items()}


def role_errors(references: Mapping[str, str], rules: type[Game], game: str) -> Iterator[str]:
    """Yields an error for each role that the game does not have or that has no value."""
    roles = [*rules.frozen, *(role for roles in rules.players.values() for role in roles)]
    for role, reference in references.items():
        where = f"model.pretrained.{role}"
        if role not in roles:
            yield f"{where}: {unknown(f'network of game {game!r}', role, roles)}"
        elif reference == MISSING:
            yield (
                f"{where}: has no value; type {where}= the name of a run, or a checkpoint file. "
                f"Newest runs: {newest_runs()}"
            )


def strict_errors(
    composed: DictConfig, references: Mapping[str, str], rules: type[Game]
) -> Iterator[str]:
    """Yields an error if model.pretrained_strict=false has no effect."""
    strict = OmegaConf.select(composed, "model.pretrained_strict")
    if strict is False and set(references) <= set(rules.frozen):
        yield (
            "model.pretrained_strict: is for networks that are trained further, and none of "
            "them is in model.pretrained; leave it out"
        )


def source_of(role: str, reference: str, own: Checkpoint | None) -> Checkpoint:
    """Returns the run's own checkpoint if there is one, else the one named by `reference`."""
    if own is None:
        return find(reference, f"model.pretrained.{role}")
    stored = own.config["model"].get("pretrained")
    previous = stored.get(role) if isinstance(stored, Mapping) else None
    if previous != reference:
        used = "without it; leave it out" if previous is None else f"with {previous}; type that"
        raise ConfigError(
            f"model.pretrained.{role}: the run of {own.name} was trained {used}, or take "
            "another run=NAME"
        )
    return own


def check_has_role(source: Checkpoint, role: str, reference: str) -> None:
    """Raises ConfigError if the checkpoint has no network `role`."""
    if role not in source.roles:
        raise ConfigError(
            f"model.pretrained.{role}: {reference} holds no network '{role}', only "
            f"{', '.join(source.roles) or 'none'}; name another run or checkpoint"
        )


def frozen_node(
    source: Checkpoint, role: str, reference: str, given: Mapping[str, Any]
) -> Component:
    """Returns the options of a frozen network; raises ConfigError if those `given` differ."""
    if not takes_single_samples(source, role):
        raise ConfigError(
            f"model.pretrained.{role}: that of {reference} takes packs of several samples; name "
            "a run without model.game.packing"
        )
    node, where = source.node(role), f"model.networks.{role}"
    faults = [
        f"{where}.{key}: is {given[key]}, and that of {reference} is {node[key]}; leave it out"
        for key in given.keys() & node.keys()
        if given[key] != node[key]
    ]
    if faults:
        raise ConfigError(*faults)
    return node


def check_shape(source: Checkpoint, role: str, spec: Spec) -> None:
    """Raises ConfigError if the network was trained on samples of another shape."""
    if source.spec.shape != spec.shape:
        raise ConfigError(
            f"model.pretrained.{role}: was trained on samples of shape {source.spec.shape}, and "
            f"those of the data set are {spec.shape}; type dataset= what it was trained on"
        )
