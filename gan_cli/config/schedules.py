"""Scalars that change while training: learning rates, betas, penalty weights, half-lives."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from gan_cli.config.ranges import Interval, Range, Steps
from gan_cli.config.registry import Registry, conform_keys, conform_scalar, keys_of_dataclass
from gan_cli.utils.text import unknown

# (done, start, end) -> value, with done in [0, 1] the share of `over` that has passed. A shape
# raises ValueError, with advice, for a start and an end that it cannot connect.
Shape = Callable[[float, float, float], float]

shapes: Registry[Shape] = Registry("schedule shape")

SAMPLED = 100  # parts of the way from start to end at whose ends a range is checked


@dataclass(frozen=True)
class Schedule:
    """A number as a function of the step.

    Config: a plain number, or ``{start, end, over, shape, warmup}``. From step `warmup` on, the
    value goes from `start` to `end` in `over` steps, along a registered shape, and stays there;
    during the warm-up it rises linearly from 0 to `start`.
    """

    start: float  # first value, after the warm-up
    end: float | None = None  # None: constant
    over: Steps = 1  # steps from start to end
    shape: str = "linear"  # of the way from start to end
    warmup: Interval = 0  # steps from 0 to start

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> "Schedule":
        """The schedule that a config's value describes; appends what is wrong to `faults`."""
        if isinstance(value, Schedule):
            return value
        if not isinstance(value, Mapping):
            return cls(conform_scalar(float, value, where, faults))
        errors: list[str] = []
        schedule = cls(**conform_keys(keys_of_dataclass(cls), value, where, errors))
        faults += errors or schedule.errors(where)
        return schedule

    def errors(self, where: str) -> list[str]:
        """What is wrong with values that each have the right type."""
        if self.shape not in shapes.entries:
            return [f"{where}.shape: {unknown('shape', self.shape, shapes.entries)}"]
        try:
            self.values()
        except OverflowError:
            return [f"{where}: shape={self.shape}: start and end are too far apart"]
        except (ValueError, ArithmeticError) as error:
            return [f"{where}: shape={self.shape}: {error}"]
        return []

    def values(self) -> list[float]:
        """The values after the warm-up, at equal intervals from start to end."""
        end = self.start if self.end is None else self.end
        shape = shapes.entries[self.shape]
        return [shape(i / SAMPLED, self.start, end) for i in range(SAMPLED + 1)]

    def extremes(self) -> tuple[float, ...]:
        """The numbers that a range has to contain: the constant, or all ends of the way."""
        if self.constant:
            return (self.start,)
        values = self.values() if self.end is not None else [self.start]
        return (self.start, self(0), min(values), max(values), values[-1])

    @property
    def constant(self) -> bool:
        """Whether the value is the same at every step."""
        return self.end is None and not self.warmup

    def __call__(self, step: int) -> float:
        """The value at `step`, counted from 0."""
        if step < self.warmup:
            return self.start * (step + 1) / (self.warmup + 1)
        if self.end is None:
            return self.start
        done = min((step - self.warmup) / self.over, 1.0)
        value: float = shapes.entries[self.shape](done, self.start, self.end)
        return value


Rate = Annotated[Schedule, Range(least=0, zero=False)]  # a learning rate
Weight = Annotated[Schedule, Range(least=0)]  # of a term of a loss
Momentum = Annotated[Schedule, Range(least=0, below=1)]  # decay of a running mean
HalfLife = Annotated[Schedule, Range(least=0)]  # in images; 0: no average
KeptShare = Annotated[Schedule, Range(above=0, most=1)]


@shapes.register("linear")
def linear(done: float, start: float, end: float) -> float:
    """A straight line."""
    return start + done * (end - start)


@shapes.register("exponential")
def exponential(done: float, start: float, end: float) -> float:
    """start (end / start)^done: a constant factor in equal times."""
    if not (start > 0 and end > 0):
        raise ValueError("never reaches 0; needs start > 0 and end > 0")
    return start * (end / start) ** done


@shapes.register("linear_after_half")
def linear_after_half(done: float, start: float, end: float) -> float:
    """`start` over the first half, then a straight line: Isola et al. 2017 (arXiv:1611.07004).

    The learning rate of pix2pix and CycleGAN.
    """
    return linear(max(0.0, 2 * done - 1), start, end)


@shapes.register("cosine")
def cosine(done: float, start: float, end: float) -> float:
    """Half a cosine: Loshchilov & Hutter 2017 (arXiv:1608.03983), Equation 5, without restarts."""
    return linear((1 - math.cos(math.pi * done)) / 2, start, end)


@shapes.register("sigmoid")
def sigmoid(done: float, start: float, end: float) -> float:
    """2 / (1 + exp(-10 done)) - 1 of the way: Ganin et al. 2016 (arXiv:1505.07818), Section 5.2.2.

    Fast at first; all but 1e-4 of the way at done = 1.
    """
    return linear(math.tanh(5 * done), start, end)  # tanh(5 p) = 2 / (1 + exp(-10 p)) - 1


@shapes.register("inverse")
def inverse(done: float, start: float, end: float) -> float:
    """start / (1 + a done)^0.75: the learning rate of Ganin et al. 2016, Section 5.2.2.

    Here `a` is such that `end` is reached at done = 1; the paper's a = 10 means an end of
    start / 6.04.
    """
    if not 0 < end < start:
        raise ValueError("falls, and never to 0; needs 0 < end < start")
    a = (start / end) ** (4 / 3) - 1
    return start / (1 + a * done) ** 0.75
