"""Spreads ``pretrained=RUN`` over the networks of the model: model.pretrained.ROLE=RUN."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.checkpoints.choice import find, newest
from gan_cli.games import games
from gan_cli.games.game import Game
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import as_typed

log = logging.getLogger("gan_cli")


def with_lender(composed: DictConfig, folder: Path | None) -> DictConfig:
    """The config with model.pretrained.ROLE in place of the key `pretrained`.

    Roles that are given on their own stay as they are. `folder` is that of the run itself, which
    needs the other run no more once it has a checkpoint.
    """
    if OmegaConf.is_missing(composed, "pretrained") or composed.get("pretrained") is None:
        return composed
    reference = composed.pretrained
    if not isinstance(reference, str):
        raise ConfigError(
            f"pretrained: expected the name of a run or a checkpoint file, got "
            f"{as_typed(reference)}; for single networks, type model.pretrained.ROLE=RUN"
        )
    tree: Any = OmegaConf.to_container(composed, resolve=False)
    tree["pretrained"] = None
    game = OmegaConf.select(composed, "model.game.name")
    given = tree["model"].get("pretrained") or {}
    if game in games.entries and isinstance(given, dict):  # other faults are reported later
        roles = roles_from(reference, list(borrowing_roles(games.entries[game], given)), folder)
        typed = {role: value for role, value in given.items() if value != "???"}
        tree["model"]["pretrained"] = {**dict.fromkeys(roles, reference), **typed}
    return OmegaConf.create(tree)


def borrowing_roles(rules: type[Game], given: Mapping[str, Any]) -> Iterator[str]:
    """The networks that the game trains, and the frozen ones that it cannot do without."""
    for role in (*rules.frozen, *(role for roles in rules.players.values() for role in roles)):
        if role not in rules.frozen or given.get(role) == "???":
            yield role


def roles_from(reference: str, roles: list[str], folder: Path | None) -> list[str]:
    """Those of `roles` that the run `reference` has, or had when this run was started."""
    own = None if folder is None else newest(folder)
    if own is not None:
        stored = own.config["model"].get("pretrained")
        lent = stored if isinstance(stored, Mapping) else {}
        return [role for role in roles if lent.get(role) == reference] or roles
    source = find(reference, "pretrained")
    held = [role for role in roles if role in source.roles]
    if not held:
        raise ConfigError(
            f"pretrained: {reference} holds none of the networks {', '.join(roles)}, only "
            f"{', '.join(source.roles) or 'none'}; name another run, or choose its model"
        )
    if missing := [role for role in roles if role not in held]:
        log.info("pretrained: %s has no %s: initialized anew", reference, ", ".join(missing))
    return held
