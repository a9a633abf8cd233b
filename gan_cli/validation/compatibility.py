"""Checks that the parts of a config are compatible. They need neither networks nor data."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from gan_cli.augment import augments
from gan_cli.config.schema import Config, Loss
from gan_cli.data.sets import datasets
from gan_cli.games import games
from gan_cli.games.freezing import freeze_errors
from gan_cli.losses import losses, penalties
from gan_cli.metrics.settings import unmet_needs
from gan_cli.networks import networks
from gan_cli.networks.network import reads_labels
from gan_cli.optim.optimizers import optimizers, options_of
from gan_cli.training.loggers.active import logger_errors
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import unknown
from gan_cli.validation.penalty_checks import check_penalties


def compatibility_errors(config: Config) -> list[str]:
    """Errors in the combination of parts that are valid on their own."""
    parts = (
        *(check_networks, check_players, check_data, check_loss),
        *(check_penalties, check_critics, check_augment),
    )
    game = games.entries[config.model.game["name"]].compatibility_errors
    checks = (*parts, game, check_metrics, check_run, check_page, check_batch_size, check_loggers)
    faults = (fault for check in checks for fault in check(config))
    return list(dict.fromkeys(faults))  # an error in options that players share is listed once


def check_networks(config: Config) -> Iterator[str]:
    name = config.model.game["name"]
    needed = [role for roles in games.entries[name].players.values() for role in roles]
    for role in needed:
        if role not in config.model.networks:
            yield f"model.networks.{role}: missing, and game '{name}' needs it"
    for role in config.model.networks:
        if role not in (*needed, *config.model.pretrained):
            yield f"model.networks.{role}: {unknown(f'network of game {name!r}', role, needed)}"
    yield from freeze_errors(config)


def check_players(config: Config) -> Iterator[str]:
    players = games.entries[config.model.game["name"]].players
    for player in sorted(config.optimizer["players"].keys() - players.keys()):
        yield f"optimizer.players.{player}: {unknown('player', player, players)}"
    for player in players:
        where = f"optimizer.players.{player}"
        own = config.optimizer["players"].get(player)
        try:  # for a single weight, so that torch checks the values
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
        if reads_labels(options):
            yield from check_labels(config, role, "label" in provided)


def check_labels(config: Config, role: str, provided: bool) -> Iterator[str]:
    """Yields an error if the network `role`, which reads labels, would get none."""
    options, game = config.model.networks[role], config.model.game["name"]
    key, value, instead = "name", options["name"], "choose a network that reads no labels"
    if "conditioning" in options:
        key, value = "conditioning", options["conditioning"]
        instead = f"set model.networks.{role}.conditioning=none"
    where = f"model.networks.{role}.{key}"
    if not games.entries[game].conditional:
        yield f"{where}: game '{game}' passes no labels to its networks; {instead}"
    elif not provided:
        yield (
            f"{where}: '{value}' needs labels, and dataset '{config.dataset['name']}' provides "
            "none; use a labelled data set (dataset.labels=folders for a folder) or a model "
            "without conditioning"
        )


def check_loss(config: Config) -> Iterator[str]:
    """Builds the adversarial loss, which costs nothing, to collect the errors of its options."""
    name = config.model.game["name"]
    if not games.entries[name].critics:
        given, default = vars(config.loss), vars(Loss())
        ignored = [key for key in given if given[key] != default[key] and key != "betas"]
        if ignored:  # the optimizer reads the betas
            yield (
                f"loss: game '{name}' has no critic, so nothing uses {', '.join(ignored)}; leave "
                "loss out"
            )
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
                f"{where}.spectral_norm: is off, but the loss needs it; set it to true, or set "
                "loss.critic_spectral_norm=false"
            )


def check_augment(config: Config) -> Iterator[str]:
    """An augmentation acts on what critics see; it is built from numbers, which costs nothing."""
    game, name = config.model.game["name"], config.augment["name"]
    if name != "none" and not games.entries[game].augments:
        yield f"augment: game '{game}' has no critic of samples to augment; use augment=none"
    try:
        augments.build(config.augment, where="augment")
    except ConfigError as error:
        yield from error.faults


def check_metrics(config: Config) -> Iterator[str]:
    """Compares what the metrics need with what the game, the data and the features provide."""
    game = config.model.game["name"]
    rules = games.entries[game]
    if config.metrics.compute and not (hasattr(rules, "sample") and rules.learns_to_sample):
        yield f"metrics: game '{game}' draws no samples to measure; use metrics=none"
    drawing = [config.model.networks.get(role, {}) for role in rules.averaged]
    provided = datasets.entries[config.dataset["name"]].provides(config.dataset)
    if not any(map(reads_labels, drawing)):
        provided -= {"label"}  # generated samples have none
    known = {"likelihood"} if hasattr(rules, "log_density") else set()
    yield from unmet_needs(config.metrics, provided | latents_provided(config) | known)


def latents_provided(config: Config) -> frozenset[str]:
    """Returns which of "latents" and "styles" the generator of a config has."""
    node = config.model.networks.get("generator", {})
    network: Any = networks.entries.get(node.get("name", ""))
    latents = {"latents"} if "latent_dim" in node or hasattr(network, "prior") else set()
    return frozenset(latents | ({"styles"} if hasattr(network, "styles") else set()))


def check_run(config: Config) -> Iterator[str]:
    elsewhere = config.run.startswith(("/", "~")) or ".." in Path(config.run).parts
    if not config.run.strip() or elsewhere:
        yield f"run: names a folder in outputs/, got '{config.run}'; type run=NAME"
    if config.nan_to_num is not None and config.device.precision == "float16":
        yield (
            "nan_to_num: with float16, steps whose gradients are not finite are left out, and "
            "nothing is replaced; leave it out, or set device.precision=bfloat16"
        )


def check_page(config: Config) -> Iterator[str]:
    """The page about the data is a new file."""
    if isinstance(config.check, bool):
        return
    if not config.check.endswith(".html"):
        yield (
            f"check: expected true, false or a new file for a page about the data, got "
            f"'{config.check}'; type check=true, or check=data.html"
        )
    elif os.path.lexists(user_path(config.check)):
        yield f"check: {config.check} already exists; type another, or remove it"


def check_loggers(config: Config) -> Iterator[str]:
    yield from logger_errors(config.logger)


def check_batch_size(config: Config) -> Iterator[str]:
    world = int(os.environ.get("WORLD_SIZE", 1))
    share = world * config.accumulate
    if config.batch_size % share:
        yield (
            f"batch_size: {config.batch_size} is not divisible by {world} processes x "
            f"accumulate={config.accumulate}; use a multiple of {share}"
        )
