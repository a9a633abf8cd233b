"""Scalars that change while training: learning rates, betas, penalty weights, half-lives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gan_cli.config.registry import conform, conform_keys, keys_of_dataclass


@dataclass(frozen=True)
class Schedule:
    """A number as a function of the step.

    Config: a plain number, or ``{start, end, over, shape, warmup}``. From step `warmup` on the
    value goes from `start` to `end` in `over` steps, along a line or half a cosine, and stays
    there; during the warm-up it rises linearly from 0 to `start`.

    Two more shapes are of Ganin et al. 2016 (arXiv:1505.07818), with p the share of
    `over` that is done. sigmoid: 2 / (1 + exp(-10 p)) - 1 of the way, fast at first; all but 1e-4
    of it at p = 1. inverse: start / (1 + a p)^0.75, its a such that `end` is reached at p = 1;
    the paper's a = 10 means an end of start / 6.04.
    """

    start: float
    end: float | None = None  # None: constant
    over: int = 1
    shape: Literal["linear", "cosine", "sigmoid", "inverse"] = "linear"
    warmup: int = 0

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> "Schedule":
        if isinstance(value, Schedule):
            return value
        if not isinstance(value, Mapping):
            return cls(conform(float, value, where, faults))
        schedule = cls(**conform_keys(keys_of_dataclass(cls), value, where, faults))
        if not faults and (schedule.over < 1 or schedule.warmup < 0):
            faults.append(f"{where}: needs over >= 1 and warmup >= 0, in steps")
        if (
            not faults
            and schedule.shape == "inverse"
            and not 0 < (schedule.end or 0) < schedule.start
        ):
            faults.append(f"{where}: shape=inverse falls, and never to 0; needs 0 < end < start")
        return schedule

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.start * (step + 1) / (self.warmup + 1)
        if self.end is None:
            return self.start
        done = min((step - self.warmup) / self.over, 1.0)
        if self.shape == "inverse":
            a = (self.start / self.end) ** (4 / 3) - 1
            return self.start / (1 + a * done) ** 0.75
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        elif self.shape == "sigmoid":
            done = math.tanh(5 * done)  # = 2 / (1 + exp(-10 done)) - 1
        return self.start + done * (self.end - self.start)
