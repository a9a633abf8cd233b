"""Scalars that change while training: learning rates, betas, penalty weights, half-lives."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gan_cli.config.registry import Registry, conform, conform_keys, keys_of_dataclass
from gan_cli.utils.text import unknown

# (done, start, end) -> value, with done in [0, 1] the share of `over` that has passed. A shape
# raises ValueError, with advice, for a start and an end that it cannot connect.
Shape = Callable[[float, float, float], float]

shapes: Registry[Shape] = Registry("schedule shape")


@dataclass(frozen=True)
class Schedule:
    """A number as a function of the step.

    Config: a plain number, or ``{start, end, over, shape, warmup}``. From step `warmup` on, the
    value goes from `start` to `end` in `over` steps, along a registered shape, and stays there;
    during the warm-up it rises linearly from 0 to `start`.
    """

    start: float  # first value, after the warm-up
    end: float | None = None  # None: constant
    over: int = 1  # steps from start to end
    shape: str = "linear"  # of the way from start to end
    warmup: int = 0  # steps from 0 to start

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> "Schedule":
        """The schedule that a config's value describes; appends what is wrong to `faults`."""
        if isinstance(value, Schedule):
            return value
        if not isinstance(value, Mapping):
            return cls(conform(float, value, where, faults))
        errors: list[str] = []
        schedule = cls(**conform_keys(keys_of_dataclass(cls), value, where, errors))
        faults += errors or schedule.errors(where)
        return schedule

    def errors(self, where: str) -> list[str]:
        """What is wrong with values that each have the right type."""
        if self.shape not in shapes.entries:
            return [f"{where}.shape: {unknown('shape', self.shape, shapes.entries)}"]
        if self.over < 1 or self.warmup < 0:
            return [f"{where}: needs over >= 1 and warmup >= 0, in steps"]
        try:
            shapes.entries[self.shape](
                1.0, self.start, self.start if self.end is None else self.end
            )
        except (ValueError, ArithmeticError) as error:
            return [f"{where}: shape={self.shape}: {error}"]
        return []

    def __call__(self, step: int) -> float:
        """The value at `step`, counted from 0."""
        if step < self.warmup:
            return self.start * (step + 1) / (self.warmup + 1)
        if self.end is None:
            return self.start
        done = min((step - self.warmup) / self.over, 1.0)
        value: float = shapes.entries[self.shape](done, self.start, self.end)
        return value


@shapes.register("linear")
def linear(done: float, start: float, end: float) -> float:
    """A straight line."""
    return start + done * (end - start)


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
