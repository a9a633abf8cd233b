"""Registry of optimizers, and players, which own one each."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn, optim

from gan_cli.config.ranges import Decay, NonNegative, Positive
from gan_cli.config.registry import Component, Registry
from gan_cli.config.schedules import Momentum, Rate, Schedule
from gan_cli.utils.freezing import trainable

optimizers: Registry[optim.Optimizer] = Registry("optimizer")
Betas = tuple[Momentum, Momentum]


@optimizers.register("adam")
def adam(
    parameters: Iterable[Tensor],
    *,
    lr: Rate = Schedule(2e-4),
    betas: Betas = (Schedule(0.5), Schedule(0.999)),
    eps: Positive = 1e-8,
    weight_decay: NonNegative = 0.0,
) -> optim.Optimizer:
    """Adam: Kingma & Ba 2015 (arXiv:1412.6980), with the betas of DCGAN (arXiv:1511.06434)."""
    now = (betas[0](0), betas[1](0))
    return optim.Adam(parameters, lr(0), now, eps, weight_decay, fused=True)


@optimizers.register("adamw")
def adamw(
    parameters: Iterable[Tensor],
    *,
    lr: Rate = Schedule(2e-4),
    betas: Betas = (Schedule(0.5), Schedule(0.999)),
    eps: Positive = 1e-8,
    weight_decay: NonNegative = 0.01,
) -> optim.Optimizer:
    """AdamW: Loshchilov & Hutter 2019 (arXiv:1711.05101)."""
    now = (betas[0](0), betas[1](0))
    return optim.AdamW(parameters, lr(0), now, eps, weight_decay, fused=True)


@optimizers.register("rmsprop")
def rmsprop(
    parameters: Iterable[Tensor],
    *,
    lr: Rate = Schedule(5e-5),
    alpha: Decay = 0.99,
    eps: Positive = 1e-8,
    momentum: Decay = 0.0,
) -> optim.Optimizer:
    """RMSprop: Tieleman & Hinton 2012, with the learning rate of WGAN (arXiv:1701.07875)."""
    return optim.RMSprop(parameters, lr(0), alpha, eps, momentum=momentum, foreach=True)


@optimizers.register("sgd")
def sgd(
    parameters: Iterable[Tensor],
    *,
    lr: Rate = Schedule(1e-2),
    momentum: Decay = 0.0,
    weight_decay: NonNegative = 0.0,
) -> optim.Optimizer:
    """Stochastic gradient descent."""
    return optim.SGD(parameters, lr(0), momentum, weight_decay=weight_decay, fused=True)


def options_of(optimizer: Component, player: str) -> Component:
    """The shared options, updated by those of the player.

    If a player has another optimizer (`name`), the shared options do not apply to it.
    """
    own = optimizer.get("players", {}).get(player, {})
    shared = {key: value for key, value in optimizer.items() if key != "players"}
    return {**(shared if own.get("name", shared["name"]) == shared["name"] else {}), **own}


def value_at(option: Any, step: int) -> Any:
    """The value of a schedule, or of a tuple of schedules, at `step`."""
    return tuple(s(step) for s in option) if isinstance(option, tuple) else option(step)


def can_be_recorded(optimizer: optim.Optimizer) -> bool:
    """Whether the optimizer is one of PyTorch's that take lr as a tensor and read no values."""
    known = type(optimizer).__module__.startswith("torch.optim")
    return known and all(g.get("fused") or "capturable" in g for g in optimizer.param_groups)


class Player:
    """The parameters of some networks and the optimizer that updates them.

    With `capturable`, the optimizer can be recorded in a CUDA graph: what its schedules change is
    then a tensor on the device. The attribute is False where that cannot be, since fused Adam takes
    its betas as numbers.
    """

    def __init__(
        self,
        networks: Iterable[nn.Module],
        options: Component,
        scaler: torch.amp.GradScaler,
        capturable: bool = False,
    ) -> None:
        self.parameters = [p for network in networks for _, p in trainable(network)]
        self.optimizer = optimizers.build(options, self.parameters, where="optimizer")
        checked = optimizers.check(options, "optimizer")
        self.scheduled = {key: checked[key] for key in ("lr", "betas") if key in checked}
        self.scaler = scaler
        betas = self.scheduled.get("betas", ())
        fixed = all(beta.constant for beta in betas)
        self.capturable = capturable and fixed and can_be_recorded(self.optimizer)
        self.now: dict[str, Any] = {}  # the scheduled options as they are
        if self.capturable:
            for group in self.optimizer.param_groups:
                group["lr"] = torch.tensor(group["lr"], device=self.parameters[0].device)
                if "capturable" in group:
                    group["capturable"] = True

    def schedule(self, step: int) -> None:
        """Sets the scheduled options of the optimizer to their values at `step`."""
        for key, option in self.scheduled.items():
            value = value_at(option, step)
            if self.now.get(key) == value:
                continue
            self.now[key] = value
            for group in self.optimizer.param_groups:
                if isinstance(group[key], Tensor):
                    group[key].fill_(value)
                else:
                    group[key] = value

    def gradients(self) -> list[Tensor]:
        """Gradients of all parameters; missing ones are set to zero, so that processes agree."""
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.parameters]  # type: ignore[misc]

    def give(self, gradients: list[Tensor] | None) -> None:
        """Gives the parameters these gradients, or none."""
        for i, parameter in enumerate(self.parameters):
            parameter.grad = None if gradients is None else gradients[i]

    def step(self, gradients: list[Tensor]) -> None:
        """Takes an optimizer step with unscaled gradients."""
        self.give(gradients)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.give(None)

    def train(self, training: bool) -> None:
        """Unfreezes the parameters, or freezes them if not `training`."""
        for parameter in self.parameters:
            parameter.requires_grad_(training)

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state, with plain numbers in place of the tensors of schedules."""
        state = self.optimizer.state_dict()
        groups = [
            {k: float(v) if isinstance(v, Tensor) else v for k, v in group.items()}
            for group in state["param_groups"]
        ]
        return {**state, "param_groups": groups}
