"""Optimizers by name, and the player who owns one."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn, optim

from gan_cli.config.registry import Component, Registry
from gan_cli.config.schedules import Schedule

optimizers: Registry[optim.Optimizer] = Registry("optimizer")
Betas = tuple[Schedule, Schedule]


@optimizers.register("adam")
def adam(
    parameters: Iterable[Tensor],
    *,
    lr: Schedule = Schedule(2e-4),
    betas: Betas = (Schedule(0.5), Schedule(0.999)),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """Kingma & Ba 2015 (arXiv:1412.6980); the betas of DCGAN (arXiv:1511.06434)."""
    now = (betas[0](0), betas[1](0))
    return optim.Adam(parameters, lr(0), now, eps, weight_decay, fused=True)


@optimizers.register("adamw")
def adamw(
    parameters: Iterable[Tensor],
    *,
    lr: Schedule = Schedule(2e-4),
    betas: Betas = (Schedule(0.5), Schedule(0.999)),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> optim.Optimizer:
    """Loshchilov & Hutter 2019 (arXiv:1711.05101)."""
    now = (betas[0](0), betas[1](0))
    return optim.AdamW(parameters, lr(0), now, eps, weight_decay, fused=True)


@optimizers.register("rmsprop")
def rmsprop(
    parameters: Iterable[Tensor],
    *,
    lr: Schedule = Schedule(5e-5),
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
) -> optim.Optimizer:
    """Tieleman & Hinton 2012; the rate of WGAN (arXiv:1701.07875), Algorithm 1."""
    return optim.RMSprop(parameters, lr(0), alpha, eps, momentum=momentum, foreach=True)


@optimizers.register("sgd")
def sgd(
    parameters: Iterable[Tensor],
    *,
    lr: Schedule = Schedule(1e-2),
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> optim.Optimizer:
    """Stochastic gradient descent."""
    return optim.SGD(parameters, lr(0), momentum, weight_decay=weight_decay, fused=True)


def options_of(optimizer: Component, player: str) -> Component:
    """The shared options with the player's own on top; its own `name` starts afresh."""
    own = optimizer.get("players", {}).get(player, {})
    shared = {key: value for key, value in optimizer.items() if key != "players"}
    return {**(shared if own.get("name", shared["name"]) == shared["name"] else {}), **own}


def value_at(option: Any, step: int) -> Any:
    return tuple(s(step) for s in option) if isinstance(option, tuple) else option(step)


class Player:
    """Who moves: some networks' parameters and the optimizer that steps them."""

    def __init__(
        self, networks: Iterable[nn.Module], options: Component, scaler: torch.amp.GradScaler
    ) -> None:
        self.parameters = [p for network in networks for p in network.parameters()]
        self.optimizer = optimizers.build(options, self.parameters, where="optimizer")
        checked = optimizers.check(options, "optimizer")
        self.scheduled = {key: checked[key] for key in ("lr", "betas") if key in checked}
        self.scaler = scaler

    def schedule(self, step: int) -> None:
        """Write what the schedules say for `step` into the optimizer."""
        for key, option in self.scheduled.items():
            for group in self.optimizer.param_groups:
                group[key] = value_at(option, step)

    def gradients(self) -> list[Tensor]:
        """All of them, zero where the loss did not reach: every process reduces the same set."""
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.parameters]  # type: ignore[misc]

    def train(self, training: bool) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(training)
