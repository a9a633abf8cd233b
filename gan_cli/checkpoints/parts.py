"""Loads parts of a training state into networks and optimizers, once they are seen to fit."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn, optim

from gan_cli.checkpoints.contents import mapping
from gan_cli.checkpoints.fit import misfits, nonfinite, summary
from gan_cli.config.registry import Component


def load_network(network: nn.Module, state: Mapping[str, Any], part: str, role: str) -> None:
    """Loads state[part][role]; ValueError says what does not fit or is not finite."""
    where = f"{part}.{role}"
    weights = mapping(state, where)
    wrong = misfits(network, weights)
    if wrong:
        raise ValueError(f"{where}: {summary(wrong)}")
    if (name := nonfinite(weights)) is not None:
        raise ValueError(f"{where}.{name}: is not finite (inf or nan)")
    network.load_state_dict(weights)


def load_optimizer(
    optimizer: optim.Optimizer, options: Component, state: Mapping[str, Any], player: str
) -> None:
    """Loads state["optimizers"][player]; ValueError says what does not fit.

    The `options` of the config are kept: if they have changed, `allow_changes` has accepted that.
    """
    where, known = f"optimizers.{player}", type(optimizer).__module__.startswith("torch.optim")
    given = mapping(state, where)
    check_groups(optimizer, given.get("param_groups"), where)
    moments = given.get("state")
    if not isinstance(moments, Mapping):
        raise ValueError(f"{where}.state: expected numbers and values")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if known and moments:
        check_moments(parameters, moments, f"{where}.state")
    configured = [dict(group) for group in optimizer.param_groups]
    optimizer.load_state_dict(dict(given))
    for group, own in zip(optimizer.param_groups, configured, strict=True):
        group.update({k: own[k] for k in (optimizer.defaults if known else options) if k in own})


def check_groups(optimizer: optim.Optimizer, given: Any, where: str) -> None:
    """ValueError unless `given` are the same groups of parameters."""
    own = optimizer.state_dict()["param_groups"]
    if not isinstance(given, list) or len(given) != len(own):
        raise ValueError(f"{where}.param_groups: expected a list of {len(own)}")
    for mine, theirs in zip(own, given, strict=True):
        if not isinstance(theirs, Mapping) or theirs.get("params") != mine["params"]:
            raise ValueError(f"{where}.param_groups: the parameters are not those of the networks")


def check_moments(parameters: list[Tensor], given: Mapping[Any, Any], where: str) -> None:
    """ValueError unless each parameter has the same names with tensors of its shape, or "step"."""
    if set(given) != set(range(len(parameters))):
        raise ValueError(f"{where}: expected the numbers 0 to {len(parameters) - 1}")
    names = set(given[0]) if isinstance(given[0], Mapping) else set()
    for number, parameter in enumerate(parameters):
        values = given[number]
        if not isinstance(values, Mapping) or set(values) != names:
            raise ValueError(f"{where}.{number}: its names are not those of the others")
        for name, value in values.items():
            shape = torch.Size() if name == "step" else parameter.shape
            if value is not None and not is_real(value, shape):
                raise ValueError(f"{where}.{number}.{name}: is no tensor {tuple(shape)} of numbers")


def is_real(value: Any, shape: torch.Size) -> bool:
    """Whether `value` is a dense tensor of floating-point numbers of this shape."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.is_floating_point()
        and value.shape == shape
    )
