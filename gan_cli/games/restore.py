"""Rebuilds networks and games from a checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import nn

from gan_cli.checkpoints.contents import Checkpoint, Weights
from gan_cli.checkpoints.fit import misfits, nonfinite, summary
from gan_cli.config.registry import Component, conform
from gan_cli.config.schema import Loss, Model
from gan_cli.data.spec import Spec
from gan_cli.games import games
from gan_cli.games.build import build_game
from gan_cli.games.game import Game
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.tensor_files import first_line


def build_network(checkpoint: Checkpoint, role: str, averaged: bool = True) -> nn.Module:
    """Returns the network `role` with its weights, in eval mode on the CPU.

    Raises ConfigError if the module that registers the network has to be imported first,
    StorageError if there is no such network or its settings or weights do not fit.
    """
    node, where = checkpoint.node(role), f"model.networks.{role}"
    check_registered(checkpoint, role)
    spec = network_spec(checkpoint, role)
    weights = checkpoint.weights(role, averaged)
    check_size(checkpoint, node, spec, role, weights)
    with stored_settings(checkpoint):
        network = networks.build(node, spec, where=where)
    load_weights(network, weights, f"{checkpoint.name}: {where}")
    return network.eval()


@contextmanager
def stored_settings(checkpoint: Checkpoint) -> Iterator[None]:
    """Turns ConfigErrors into StorageErrors, since the invalid settings are the checkpoint's."""
    try:
        yield
    except ConfigError as error:
        raise StorageError(f"{checkpoint.name}: {'; '.join(error.faults)}") from None
    except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise StorageError(
            f"{checkpoint.name}: its settings cannot be built ({first_line(error)}); the file was "
            "edited, or the code has changed"
        ) from error


def check_registered(checkpoint: Checkpoint, role: str) -> None:
    """Raises ConfigError if the network or the game is not registered.

    A checkpoint may name the modules that it needs, but only the command line imports them.
    """
    parts = (("network", networks, checkpoint.node(role)), ("game", games, checkpoint.game))
    for kind, registry, node in parts:
        if node["name"] not in registry.entries:
            modules = ", ".join(checkpoint.imports or ("MODULE",))
            raise ConfigError(
                f"{checkpoint.name}: '{node['name']}' is not a {kind} of gan_cli; if you trust the "
                f"module that registers it, add imports=[{modules}]"
            )


def network_spec(checkpoint: Checkpoint, role: str) -> Spec:
    """Returns the spec that the network was built for: that of packs for PacGAN's discriminator."""
    with stored_settings(checkpoint):
        rules = games.find(checkpoint.game, "model.game")
        spec: Spec = rules.spec_of(role, checkpoint.spec, game_component(checkpoint))
    return spec


def game_component(checkpoint: Checkpoint) -> Component:
    """Returns the game's name and options, with defaults for options the checkpoint lacks."""
    return {"name": checkpoint.game["name"], **games.check(checkpoint.game, "model.game")}


def takes_single_samples(checkpoint: Checkpoint, role: str) -> bool:
    """Returns whether the network takes single samples and not packs."""
    return network_spec(checkpoint, role) == checkpoint.spec


def check_size(
    checkpoint: Checkpoint, node: Component, spec: Spec, role: str, weights: Weights
) -> None:
    """Raises StorageError if a network of these settings does not fit its weights.

    The network has shapes without memory (device meta), since edited settings may ask for more
    memory than there is. Networks that cannot be built so are checked by `load_weights`.
    """
    where = f"model.networks.{role}"
    try:
        with torch.device("meta"):
            sketch = networks.build(node, spec, where=where)
    except Exception:  # of any kind: the true network is built next, and its errors are reported
        return
    check_fit(sketch, weights, f"{checkpoint.name}: {where}")


def load_weights(network: nn.Module, weights: Weights, where: str) -> None:
    """Loads the weights; raises StorageError, which lists the mismatches, if they do not fit."""
    check_fit(network, weights, where)
    check_finite(weights, where)
    network.load_state_dict(weights)


def check_fit(network: nn.Module, weights: Weights, where: str) -> None:
    """Raises StorageError, which lists the mismatches, if the weights do not fit the network."""
    wrong = misfits(network, weights)
    if wrong:
        raise StorageError(
            f"{where}: the weights do not fit the network, whose code has changed since they were "
            f"trained: {summary(wrong)}"
        )


def check_finite(weights: Weights, where: str) -> None:
    """Raises StorageError if a weight is infinite or undefined."""
    name = nonfinite(weights)
    if name is not None:
        raise StorageError(
            f"{where}: {name} is not finite (inf or nan), since the training diverged or the file "
            "was edited; take an earlier checkpoint"
        )


def restore_game(checkpoint: Checkpoint, averaged: bool = True) -> Game:
    """Returns the whole game in eval mode on the CPU, with averaged networks where there are any.

    Raises ConfigError if a module that registers one of its parts has to be imported first,
    StorageError if its settings or weights do not fit.
    """
    faults: list[str] = []
    loss: Loss = conform(Loss, checkpoint.config.get("loss") or {}, "loss", faults)
    model: Model = conform(Model, checkpoint.config["model"], "model", faults)
    for role in model.networks:
        check_registered(checkpoint, role)
    if faults:
        raise StorageError(f"{checkpoint.name}: {faults[0]}")
    with stored_settings(checkpoint):
        rules = games.find(checkpoint.game, "model.game")
        for role in (role for roles in rules.players.values() for role in roles):
            checkpoint.known(role)
        if rules.critics and loss.adversarial is None:
            raise ConfigError("loss.adversarial: has no value")
        model = replace(model, game=game_component(checkpoint))
        for role in checkpoint.roles:
            weights = checkpoint.weights(role, averaged)
            check_size(
                checkpoint, model.networks[role], network_spec(checkpoint, role), role, weights
            )
        game = build_game(model, loss, {"name": "none"}, checkpoint.spec)
    for role, network in game.networks.items():
        where = f"{checkpoint.name}: model.networks.{role}"
        load_weights(network, checkpoint.weights(role, averaged), where)
    game.networks.eval()
    return game
