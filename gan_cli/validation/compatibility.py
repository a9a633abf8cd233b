"""The checks that the parts of a config, each right, go together; no network, no data."""

import os
from collections.abc import Iterator

import torch

from gan_cli.config.schema import Config, Loss
from gan_cli.data.sets import datasets
from gan_cli.games import games
from gan_cli.losses import losses, penalties
from gan_cli.metrics.settings import unmet
from gan_cli.optim.optimizers import optimizers, options_of
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown


def misfits(config: Config) -> list[str]:
    """Parts that are each right, but do not go together."""
    parts = (check_networks, check_players, check_data, check_loss, check_critics)
    game = games.entries[config.model.game["name"]].misfits
    checks = (*parts, game, check_metrics, check_numbers)
    faults = (fault for check in checks for fault in check(config))
    return list(dict.fromkeys(faults))  # what both players share is wrong once


def check_networks(config: Config) -> Iterator[str]:
    name = config.model.game["name"]
    needed = [role for roles in games.entries[name].players.values() for role in roles]
    for role in needed:
        if role not in config.model.networks:
            yield f"model.networks.{role}: missing, and game '{name}' needs it"
    for role in config.model.networks:
        if role not in (*needed, *config.model.pretrained):
            yield f"model.networks.{role}: {unknown(f'network of game {name!r}', role, needed)}"


def check_players(config: Config) -> Iterator[str]:
    players = games.entries[config.model.game["name"]].players
    for player in sorted(config.optimizer["players"].keys() - players.keys()):
        yield f"optimizer.players.{player}: {unknown('player', player, players)}"
    for player in players:
        where = f"optimizer.players.{player}"
        own = config.optimizer["players"].get(player)
        try:  # on one weight: torch knows which rates there cannot be
            weight = torch.zeros(1, requires_grad=True)
            optimizers.build(options_of(config.optimizer, player), [weight], where=where)
        except ConfigError as error:
            yield from error.faults if own else ()
        except ValueError as error:
            yield f"{where if own else 'optimizer'}: {str(error).lower()}"


def check_data(config: Config) -> Iterator[str]:
    name = config.dataset["name"]
    provided = datasets.entries[name].provides(config.dataset)
    for key in sorted(games.entries[config.model.game["name"]].reads - provided):
        yield f"dataset: '{name}' has no '{key}', which game '{config.model.game['name']}' reads"
    for role, options in config.model.networks.items():
        if options.get("conditioning", "none") == "none":
            continue
        if not games.entries[config.model.game["name"]].conditional:
            yield (
                f"model.networks.{role}.conditioning: game '{config.model.game['name']}' hands its "
                f"networks no labels; set model.networks.{role}.conditioning=none"
            )
        elif "label" not in provided:
            yield (
                f"model.networks.{role}.conditioning: '{options['conditioning']}' needs labels, "
                f"and dataset '{name}' provides none; use a labelled data set "
                "(dataset.labels=folders for a folder) or a model without conditioning"
            )


def check_loss(config: Config) -> Iterator[str]:
    """A loss may refuse some of its values; it is formulas alone, so to build one costs nothing."""
    name = config.model.game["name"]
    if not games.entries[name].critics:
        given, default = vars(config.loss), vars(Loss())
        ignored = [key for key in given if given[key] != default[key] and key != "betas"]
        if ignored:  # the optimizer reads the betas
            told = ", ".join(ignored)
            yield f"loss: game '{name}' has no critic to play for {told}; leave loss out"
    elif config.loss.adversarial is None:
        yield "loss.adversarial: has no value; choose one, as in loss=nonsaturating"
    else:
        try:
            losses.build(config.loss.adversarial, where="loss.adversarial")
        except ConfigError as error:
            yield from error.faults


def check_critics(config: Config) -> Iterator[str]:
    per_sample = [
        key
        for key, node in config.loss.penalties.items()
        if penalties.entries[node["name"]].per_sample
    ]
    for role in games.entries[config.model.game["name"]].critics:
        options, where = config.model.networks.get(role, {}), f"model.networks.{role}"
        if per_sample and options.get("norm") == "batch":
            yield (
                f"{where}.norm: batch norm couples the samples of a batch and falsifies the "
                f"per-sample penalty '{per_sample[0]}'; use loss.critic_norm=none, layer or "
                "instance"
            )
        if config.loss.critic_spectral_norm and not options.get("spectral_norm", False):
            yield (
                f"{where}.spectral_norm: is off, and the loss relies on it; set it to true, or "
                "loss.critic_spectral_norm=false"
            )


def check_metrics(config: Config) -> Iterator[str]:
    """What the metrics need, against what the game, the data and the features give."""
    game = config.model.game["name"]
    if config.metrics.compute and not hasattr(games.entries[game], "sample"):
        yield f"metrics: game '{game}' draws no samples to measure; use metrics=none"
    generator = config.model.networks.get("generator", {})
    provided = datasets.entries[config.dataset["name"]].provides(config.dataset)
    if generator.get("conditioning", "none") == "none":
        provided -= {"label"}  # generated samples have none
    yield from unmet(config.metrics, provided)


def check_numbers(config: Config) -> Iterator[str]:
    world = int(os.environ.get("WORLD_SIZE", 1))
    share = world * config.accumulate
    for key in "steps", "batch_size", "accumulate", "keep_last":
        if getattr(config, key) < 1:
            yield f"{key}: must be at least 1, got {getattr(config, key)}"
    if config.seed < 0:
        yield f"seed: must be 0 or more, got {config.seed}"
    if config.loss.critic_steps < 1:
        yield f"loss.critic_steps: must be at least 1, got {config.loss.critic_steps}"
    if share > 0 and config.batch_size % share:
        yield (
            f"batch_size: {config.batch_size} does not divide by {world} processes x "
            f"accumulate={config.accumulate}; use a multiple of {share}"
        )
    for key, every in vars(config.every).items():
        if every < 0:
            yield f"every.{key}: must be 0 (never) or more, got {every}"
    for key, options in config.loss.penalties.items():
        if options["every"] < 1:
            yield f"loss.penalties.{key}.every: must be at least 1, got {options['every']}"
