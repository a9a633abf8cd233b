"""Validates every key of a config. It needs neither networks nor data."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli.augment import augments
from gan_cli.config.key_names import refuse_unknown_keys
from gan_cli.config.registry import Component, Registry, conform
from gan_cli.config.schema import Config
from gan_cli.data.sets import datasets
from gan_cli.games import games
from gan_cli.losses import losses, penalties
from gan_cli.metrics.settings import parse_metrics
from gan_cli.networks import networks
from gan_cli.optim.optimizers import optimizers
from gan_cli.training.lender import with_lender
from gan_cli.training.loggers.active import parse_loggers
from gan_cli.training.pretrained import with_pretrained
from gan_cli.utils.discovery import import_modules
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.compatibility import compatibility_errors

Tree = dict[str, Any]


def validate(
    composed: DictConfig | Mapping[str, Any], folder_of: Callable[[str], Path] | None = None
) -> Config:
    """Converts a composed config to a Config, with defaults for all options of its components.

    Raises ConfigError with everything that is wrong. `folder_of` maps the name of a run to its
    folder: a run that has a checkpoint takes pretrained networks from there.
    """
    if not isinstance(composed, DictConfig):
        composed = OmegaConf.create(dict(composed))
    tree = resolved(composed, folder_of)
    faults: list[str] = []
    tree = refuse_unknown_keys(tree, Config, "train", faults)
    fill_components(tree, faults)
    if "metrics" in tree:
        tree["metrics"] = parse_metrics(tree["metrics"], "metrics", faults)
    if "logger" in tree:
        tree["logger"] = parse_loggers(tree["logger"], faults)
    config: Config = conform(Config, tree, "", faults)
    if not faults:
        faults += compatibility_errors(config)
    if faults:
        raise ConfigError(*faults)
    return config


def resolved(composed: DictConfig, folder_of: Callable[[str], Path] | None) -> Tree:
    """The config as plain containers, with pretrained networks filled in and no interpolations."""
    try:
        folder = None if folder_of is None else folder_of(str(composed.get("run")))
        import_modules([] if composed.get("imports") is None else composed.get("imports"))
        whole = with_pretrained(with_lender(composed, folder), folder)
        return OmegaConf.to_container(whole, resolve=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        where = f"{error.full_key}: " if error.full_key else ""
        raise ConfigError(where + str(error).splitlines()[0]) from None


def fill_components(tree: Tree, faults: list[str]) -> None:
    """Adds defaults to every component in the tree, in place."""
    for parent, key, registry, where in component_nodes(tree):
        if isinstance(parent.get(key), Mapping):
            node, players = dict(parent[key]), {}
            if registry is optimizers:  # options of single players are checked by check_players
                players = {"players": players_of(node.pop("players", None), where, faults)}
            try:
                parent[key] = {"name": node.get("name"), **registry.check(node, where), **players}
            except ConfigError as error:
                faults += error.faults
                parent[key] = {**node, **players}


def players_of(value: Any, where: str, faults: list[str]) -> Tree:
    """The options of single players, by player."""
    players = conform(
        dict[str, Component], {} if value is None else value, f"{where}.players", faults
    )
    return players if isinstance(players, dict) else {}


def component_nodes(tree: Tree) -> Iterator[tuple[Tree, str, Registry[Any], str]]:
    """Yields (parent, key, registry, key path) of every component in the tree."""
    model, loss = mapping(tree, "model"), mapping(tree, "loss")
    yield tree, "dataset", datasets, "dataset"
    yield tree, "optimizer", optimizers, "optimizer"
    yield tree, "augment", augments, "augment"
    yield model, "game", games, "model.game"
    yield loss, "adversarial", losses, "loss.adversarial"
    for role in mapping(model, "networks"):
        yield model["networks"], role, networks, f"model.networks.{role}"
    for name, options in mapping(loss, "penalties").items():  # here the key is the name
        if isinstance(options, dict):
            options.setdefault("name", name)
        yield loss["penalties"], name, penalties, f"loss.penalties.{name}"


def mapping(tree: Tree, key: str) -> Tree:
    """tree[key] if it is a mapping, else {}: other types are reported by `conform`."""
    node = tree.get(key)
    return node if isinstance(node, dict) else {}
