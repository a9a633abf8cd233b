"""Scalars that change while training: learning rates, betas, penalty weights, half-lives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gan_cli.registry import conform, conform_keys, keys_of_dataclass


@dataclass(frozen=True)
class Schedule:
    """A number as a function of the step.

    Config: a plain number, or ``{start, end, over, shape, warmup}``. From step `warmup` on the
    value goes from `start` to `end` in `over` steps, along a line or half a cosine, and stays
    there; during the warm-up it rises linearly from 0 to `start`.
    """

    start: float
    end: float | None = None  # None: constant
    over: int = 1
    shape: Literal["linear", "cosine"] = "linear"
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
        return schedule

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.start * (step + 1) / (self.warmup + 1)
        if self.end is None:
            return self.start
        done = min((step - self.warmup) / self.over, 1.0)
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return self.start + done * (self.end - self.start)
