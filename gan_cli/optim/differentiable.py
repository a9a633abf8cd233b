"""Differentiable optimizer steps.

They start from the settings and the state of a torch.optim optimizer, which are not changed, and
return new parameters instead of updating them in place.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, optim

InnerStep = Callable[[Sequence[Tensor], Sequence[Tensor]], list[Tensor]]
TINY = 1e-30  # far below eps^2, so that steps do not change


def inner_step(optimizer: optim.Optimizer) -> InnerStep:
    """A function of (parameters, gradients) that returns the parameters after one more step."""
    return INNER[type(optimizer)](optimizer)


class InnerSGD:
    """SGD with momentum: v <- momentum v + g, p <- p - lr v."""

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.settings = optimizer.param_groups[0]
        self.velocity = optimizer_state(optimizer, "momentum_buffer")

    def __call__(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
        lr, momentum = self.settings["lr"], self.settings["momentum"]
        decay, stepped = self.settings["weight_decay"], []
        for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            g = g + decay * p
            self.velocity[i] = momentum * self.velocity[i] + g
            stepped.append(p - lr * self.velocity[i])
        return stepped


class InnerRMSprop:
    """RMSprop: s <- alpha s + (1 - alpha) g^2, p <- p - lr g / (sqrt(s) + eps).

    Tieleman & Hinton 2012.
    """

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.settings = optimizer.param_groups[0]
        self.second = optimizer_state(optimizer, "square_avg")
        self.velocity = optimizer_state(optimizer, "momentum_buffer")

    def __call__(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
        lr, alpha, eps = (self.settings[key] for key in ("lr", "alpha", "eps"))
        stepped = []
        for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            self.second[i] = self.second[i].lerp(g * g, 1 - alpha)
            scaled = g / (safe_sqrt(self.second[i]) + eps)
            self.velocity[i] = self.settings["momentum"] * self.velocity[i] + scaled
            stepped.append(p - lr * self.velocity[i])
        return stepped


class InnerAdam:
    """Adam: Kingma & Ba 2015 (arXiv:1412.6980), Algorithm 1, and AdamW.

    Weight decay is added to the gradient for torch.optim.Adam, and applied to the weights for AdamW
    (Loshchilov & Hutter 2019, arXiv:1711.05101).
    """

    def __init__(self, optimizer: optim.Optimizer) -> None:
        self.settings = optimizer.param_groups[0]
        self.decoupled = isinstance(optimizer, optim.AdamW)
        self.first, self.second = (
            optimizer_state(optimizer, "exp_avg"),
            optimizer_state(optimizer, "exp_avg_sq"),
        )
        states = [optimizer.state[p] for p in self.settings["params"] if p in optimizer.state]
        self.step = states[0]["step"] if states else torch.zeros(())

    def __call__(self, parameters: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
        lr, (beta1, beta2), eps = (self.settings[key] for key in ("lr", "betas", "eps"))
        decay, stepped = self.settings["weight_decay"], []
        self.step = self.step + 1
        rate, scale = lr / (1 - beta1**self.step), (1 - beta2**self.step).rsqrt()
        for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
            if self.decoupled:
                p = p * (1 - lr * decay)
            else:
                g = g + decay * p
            self.first[i] = self.first[i].lerp(g, 1 - beta1)
            self.second[i] = self.second[i].lerp(g * g, 1 - beta2)
            stepped.append(p - rate * self.first[i] / (safe_sqrt(self.second[i]) * scale + eps))
        return stepped


def optimizer_state(optimizer: optim.Optimizer, key: str) -> list[Tensor]:
    """The state `key` of the optimizer for each parameter; zeros before its first step."""
    parameters = optimizer.param_groups[0]["params"]
    return [optimizer.state.get(p, {}).get(key, torch.zeros_like(p)) for p in parameters]


def safe_sqrt(x: Tensor) -> Tensor:
    """Square root that is constant below TINY, since its derivative at zero is infinite."""
    return x.clamp(min=TINY).sqrt()


INNER: dict[type[optim.Optimizer], Callable[[optim.Optimizer], InnerStep]] = {
    optim.SGD: InnerSGD,
    optim.RMSprop: InnerRMSprop,
    optim.Adam: InnerAdam,
    optim.AdamW: InnerAdam,
}
