"""Ground truth about the distribution of data: its modes and its density."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class Modes:
    """The modes of a distribution and their probabilities."""

    proportions: Tensor  # (K,) float64, of each mode in the data
    assign: Callable[[Tensor], tuple[Tensor, Tensor]]
    # samples (N, *shape) -> index of the nearest mode (N,) int64, is it of high quality (N,) bool


@dataclass(frozen=True)
class Density:
    """The probability density of real numbers."""

    log: Callable[[Tensor], Tensor]  # (N,) to (N,) float64
    low: float
    high: float  # the probability outside of [low, high] is negligible in float64


@runtime_checkable
class HasDensity(Protocol):
    """A data set with a known density."""

    def density(self) -> Density: ...


@dataclass(frozen=True)
class Law:
    """The distribution of sequences of tokens."""

    log: Callable[[Tensor], Tensor]  # (N, T) int64 to log probabilities (N,) float64
    entropy: float | None = None  # in nats per sequence, if it is known exactly


@runtime_checkable
class HasLaw(Protocol):
    """A data set of tokens with a known law."""

    def law(self) -> Law: ...
