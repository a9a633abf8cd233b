"""Networks that start from the weights of another run: model.pretrained.ROLE=RUN or a file.

A network that its game keeps frozen is taken whole, options and weights. One that is trained
further (fine-tuning) is built as the config says, and the weights are loaded into it by name. Once
a run has a checkpoint of its own, it no longer needs that of the other run.
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
from gan_cli.games.restore import load_weights, sees_one_sample
from gan_cli.training.finetuning import load_trained
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

MISSING = "???"  # OmegaConf's mark of a mandatory value


def with_pretrained(composed: DictConfig, folder: Path | None) -> DictConfig:
    """The config with the options of frozen networks, which come from their checkpoints.

    It is to be called before interpolations are resolved, since other values may refer to these
    options. `folder` is that of the run itself.
    """
    references, game = references_of(composed), OmegaConf.select(composed, "model.game.name")
    if game not in games.entries:  # which is reported later
        return composed
    rules = games.entries[game]
    faults = [*misplaced(references, rules, game), *useless(composed, references, rules)]
    if faults:
        raise ConfigError(*faults)
    if not references:
        return composed
    own = None if folder is None else newest(folder)
    nodes: dict[str, Component] = {}

    def look(role: str, reference: str) -> None:
        lender = lender_of(role, reference, own)
        check_holds(lender, role, reference)
        if role in rules.frozen:
            given: Any = OmegaConf.select(composed, f"model.networks.{role}") or {}
            nodes[role] = {**given, **frozen_node(lender, role, reference, given)}

    for_each(references, look)
    tree: Any = OmegaConf.to_container(composed, resolve=False)
    tree["model"]["networks"] |= nodes
    return OmegaConf.create(tree)


def load_pretrained(game: Game, model: Model, spec: Spec, folder: Path) -> None:
    """Loads the weights, averaged ones if there are any, into the networks of `game`.

    `spec` is that of the data set. A run that has begun, in `folder`, gets its trained networks
    from its own checkpoint later. Raises ConfigError if weights do not fit.
    """
    if not model.pretrained:
        return
    own = newest(folder)

    def load(role: str, reference: str) -> None:
        lender, network = lender_of(role, reference, own), game.networks[role]
        if role in game.frozen:
            check_shape(lender, role, spec)
            load_weights(network, lender.weights(role, True), f"model.pretrained.{role}")
        elif own is None:
            load_trained(network, lender, role, reference, model, spec)

    for_each(model.pretrained, load)
    game.constrain()


def for_each(references: Mapping[str, str], action: Callable[[str, str], None]) -> None:
    """Calls `action` for each (role, reference); one ConfigError lists the faults of all."""
    faults: list[str] = []
    for role, reference in references.items():
        try:
            action(role, reference)
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(*faults)


def references_of(composed: DictConfig) -> dict[str, str]:
    """model.pretrained as typed: the run or file by role."""
    node = OmegaConf.select(composed, "model.pretrained")
    if not isinstance(node, DictConfig | None):
        raise ConfigError(f"model.pretrained: expected keys and values, got {node!r}")
    references: Any = {} if node is None else OmegaConf.to_container(node, resolve=True)
    return {str(k): MISSING if value is None else str(value) for k, value in references.items()}


def misplaced(references: Mapping[str, str], rules: type[Game], game: str) -> Iterator[str]:
    """Faults of roles that the game does not have, or that name no run."""
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


def useless(
    composed: DictConfig, references: Mapping[str, str], rules: type[Game]
) -> Iterator[str]:
    strict = OmegaConf.select(composed, "model.pretrained_strict")
    if strict is False and set(references) <= set(rules.frozen):
        yield (
            "model.pretrained_strict: is about networks that are trained further, and none of "
            "them is in model.pretrained; leave it out"
        )


def lender_of(role: str, reference: str, own: Checkpoint | None) -> Checkpoint:
    """The checkpoint that `reference` means, or the run's own once there is one."""
    if own is None:
        return find(reference, f"model.pretrained.{role}")
    stored = own.config["model"].get("pretrained")
    known = stored.get(role) if isinstance(stored, Mapping) else None
    if known != reference:
        with_it = "without it; leave it out" if known is None else f"with {known}; type that"
        raise ConfigError(
            f"model.pretrained.{role}: the run of {own.name} was trained {with_it}, or take "
            "another run=NAME"
        )
    return own


def check_holds(lender: Checkpoint, role: str, reference: str) -> None:
    if role not in lender.roles:
        raise ConfigError(
            f"model.pretrained.{role}: {reference} holds no network '{role}', only "
            f"{', '.join(lender.roles) or 'none'}; name another run or checkpoint"
        )


def frozen_node(
    lender: Checkpoint, role: str, reference: str, given: Mapping[str, Any]
) -> Component:
    """The options of a frozen network, from which those `given` must not differ."""
    if not sees_one_sample(lender, role):
        raise ConfigError(
            f"model.pretrained.{role}: that of {reference} judges several samples together; name "
            "a run without model.game.packing"
        )
    node, where = lender.node(role), f"model.networks.{role}"
    faults = [
        f"{where}.{key}: is {given[key]}, and that of {reference} is {node[key]}; leave it out"
        for key in given.keys() & node.keys()
        if given[key] != node[key]
    ]
    if faults:
        raise ConfigError(*faults)
    return node


def check_shape(lender: Checkpoint, role: str, spec: Spec) -> None:
    if lender.spec.shape != spec.shape:
        raise ConfigError(
            f"model.pretrained.{role}: was trained on samples of shape {lender.spec.shape}, and "
            f"those of the data set are {spec.shape}; type dataset= what it was trained on"
        )
