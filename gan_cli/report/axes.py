"""Linear and logarithmic axes, with ticks at round numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LOG_FROM = 50.0  # ratio of the largest to the smallest value from which an axis is logarithmic


@dataclass(frozen=True)
class Axis:
    """The range of an axis, linear or logarithmic."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, values: Sequence[float]) -> "Axis":
        """An axis around `values` with margins, logarithmic if positive values span decades."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        if low > 0 and high / low >= LOG_FROM:
            return cls(low / 1.3, high * 1.3, log=True)
        margin = 0.06 * (high - low) or 0.1 * abs(low) or 1.0
        return cls(low - margin, high + margin)

    @classmethod
    def steps(cls, steps: Sequence[int]) -> "Axis":
        """An axis of training steps; it starts at 0 unless there are only late steps."""
        low, high = min(steps, default=0), max(steps, default=1)
        start = 0 if low < 0.5 * high else low
        return cls(start, high if high > start else start + 1)

    def position(self, value: float) -> float:
        """The position of `value`: 0 at the low end, 1 at the high end."""
        low, high, value = self.transformed(self.low, self.high, value)
        return (value - low) / (high - low)

    def transformed(self, *values: float) -> list[float]:
        return [math.log10(value) for value in values] if self.log else list(values)

    def ticks(self, most: int = 5) -> list[float]:
        """At most `most` round numbers, or powers of ten on a logarithmic axis."""
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
