"""What is known of the law that data are drawn from: its modes, its density."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class Modes:
    """Where the probability of a data set lies, for data of which that is known."""

    proportions: Tensor  # (K,) float64, of each mode in the data
    assign: Callable[[Tensor], tuple[Tensor, Tensor]]
    # samples (N, *shape) -> index of the nearest mode (N,) int64, is it of high quality (N,) bool


@dataclass(frozen=True)
class Density:
    """Of numbers on a line."""

    log: Callable[[Tensor], Tensor]  # (N,) to (N,) float64
    low: float
    high: float  # outside [low, high] lies no mass that float64 would notice


@runtime_checkable
class HasDensity(Protocol):
    """A data set that knows its law."""

    def density(self) -> Density: ...
