"""Which tensors of a checkpoint fit a network, by name and shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Shape = tuple[int, ...] | str  # words for what is no dense tensor of floating-point numbers
LISTED = 4  # misfits that a message spells out
SPECTRAL = "parametrizations."  # a parametrized weight and its buffers fit together or not at all


@dataclass(frozen=True)
class Misfit:
    """A tensor of the network (`own`) or of a checkpoint (`given`) that the other one lacks or has
    in another shape."""

    name: str
    own: Shape | None
    given: Shape | None

    def __str__(self) -> str:
        if self.own is None:
            return f"{self.name} {self.given} has no counterpart in the network"
        if self.given is None:
            return f"{self.name} {self.own} is missing"
        return f"{self.name} is {self.given}, and the network's is {self.own}"


def misfits(network: nn.Module, weights: Mapping[str, Tensor]) -> list[Misfit]:
    """The tensors of either side that cannot be loaded, in the order of the network."""
    own, given = shapes(network.state_dict()), shapes(weights)
    return [
        Misfit(name, own.get(name), given.get(name))
        for name in dict.fromkeys([*own, *given])
        if own.get(name) != given.get(name)
    ]


def shapes(weights: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {name: shape_of(value) for name, value in weights.items()}


def shape_of(value: Any) -> Shape:
    """The shape of a dense tensor of floating-point numbers, a description of anything else."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    if value.layout == torch.strided and value.is_floating_point():
        return tuple(value.shape)
    kind = str(value.dtype).removeprefix("torch.")
    return f"{kind} {tuple(value.shape)}{'' if value.layout == torch.strided else ' sparse'}"


def nonfinite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor with an infinite or undefined element, None without any."""
    finite = {name: torch.isfinite(value).all() for name, value in weights.items()}
    if not finite or torch.stack([f.cpu() for f in finite.values()]).all():
        return None
    return next(name for name, all_finite in finite.items() if not all_finite)


def fitting(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of `weights` that can be loaded into the network."""
    excluded = {unit(misfit.name) for misfit in misfits(network, weights)}
    return {name: value for name, value in weights.items() if unit(name) not in excluded}


def unit(name: str) -> str:
    """The parametrized weight that a tensor belongs to, or the tensor itself.

    Spectral norm estimates the norm of one matrix; its vectors are wrong for any other matrix.
    """
    module, found, rest = name.partition(SPECTRAL)
    return f"{module}{found}{rest.partition('.')[0]}" if found else name


def summary(wrong: list[Misfit], count: int = LISTED) -> str:
    """The first `count` misfits, for a message."""
    words = [str(misfit) for misfit in wrong[:count]]
    return "; ".join([*words, f"and {len(wrong) - count} more"] if wrong[count:] else words)
