"""From values to positions: linear or logarithmic, with ticks at round numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LOG_FROM = 50.0  # highest / lowest; a linear axis still shows what spans less


@dataclass(frozen=True)
class Axis:
    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: Sequence[float]) -> "Axis":
        """With air above and below; logarithmic where positive values span decades."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if low > 0 and high / low >= LOG_FROM:
            return cls(low / 1.3, high * 1.3, log=True)
        air = 0.06 * (high - low) or 0.1 * abs(low) or 1.0
        return cls(low - air, high + air)

    @classmethod
    def steps(cls, steps: Sequence[int]) -> "Axis":
        """From 0, unless only the second half is there."""
        low, high = min(steps, default=0), max(steps, default=1)
        start = 0 if low < 0.5 * high else low
        return cls(start, high if high > start else start + 1)

    def position(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        low, high, value = self.transformed(self.low, self.high, value)
        return (value - low) / (high - low)

    def transformed(self, *values: float) -> list[float]:
        return [math.log10(value) for value in values] if self.log else list(values)

    def ticks(self, most: int = 5) -> list[float]:
        if self.log:
            return self.decades(most)
        span = self.high - self.low
        power = 10.0 ** math.floor(math.log10(span / most))
        step = next(f * power for f in (1, 2, 5, 10, 20) if span / (f * power) <= most)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [i * step for i in range(first, last + 1)]

    def decades(self, most: int) -> list[float]:
        low, high = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**k for k in range(low, high + 1, max(1, math.ceil((high - low) / most)))]
