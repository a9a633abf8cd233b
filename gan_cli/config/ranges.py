"""Ranges of numbers, declared beside their type: ``clip_norm: Positive | None``.

``Annotated[float, Range(above=0)]`` is a float to type checkers and a number above 0 to `conform`,
which refuses all others. Every number is finite: a NaN or an infinity is no setting, nor is what
overflows when it becomes a float32 or an int64 tensor.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any

from gan_cli.utils.text import as_typed

LARGEST_FLOAT = (2 - 2**-23) * 2.0**127  # of float32, 3.4e38
LARGEST_INT = 2**63 - 1  # of int64


@dataclass(frozen=True)
class Range:
    """Bounds of a number, or of all values of a schedule.

    `limit` is the largest magnitude that can be computed with; it is named only to those who exceed
    it. `zero` tells whether a number may be 0: where it may not, a schedule still starts or ends
    there, unless all of it is 0.
    """

    least: float | None = None  # lower bound, which belongs to the range
    most: float | None = None  # upper bound, likewise
    above: float | None = None  # lower bound, which does not
    below: float | None = None  # upper bound, which does not
    limit: int | None = None  # None: that of float32 or int64
    zero: bool = True
    hint: str = ""  # what to type instead

    def contains(self, number: float) -> bool:
        """Whether a number is finite and within the bounds."""
        return abs(number) <= self.limit_of(number) and self.bounds_allow(number)

    def bounds_allow(self, number: float) -> bool:
        """Whether a number is within the bounds, apart from its magnitude."""
        return (
            (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def limit_of(self, number: float) -> float:
        largest = LARGEST_INT if isinstance(number, int) else LARGEST_FLOAT
        return largest if self.limit is None else self.limit

    def error(self, value: Any) -> str | None:
        """Returns what is wrong with a number or a schedule, or None."""
        numbers = value.extremes() if hasattr(value, "extremes") else (value,)
        for number in numbers:
            if not self.contains(number):
                return self.refusal(number)
        return None if self.zero or any(numbers) else self.refusal(numbers[0])

    def refusal(self, number: float) -> str:
        """Returns why `number` is outside of the range."""
        text = str(self)
        if isinstance(number, float) and not math.isfinite(number):
            text = text or "a finite number"
        elif self.bounds_allow(number) and abs(number) > self.limit_of(number):
            limit = f"at most {plain(self.limit_of(number))}"
            limit = limit if number > 0 else limit.replace("most ", "least -")
            text = f"{text} and {limit}" if text else limit
        return f"must be {text}, got {as_typed(number)}{self.advice}"

    @property
    def advice(self) -> str:
        return f"; {self.hint}" if self.hint else ""

    def __str__(self) -> str:
        """The range in words, as in "must be at least 1"; empty without bounds."""
        if self.least == 0 and not self.zero:
            return "above 0"
        if self.least is not None and self.most is not None:
            return f"between {plain(self.least)} and {plain(self.most)}"
        words = []
        if self.least is not None:
            words.append("0 or more" if self.least == 0 else f"at least {plain(self.least)}")
        if self.above is not None:
            words.append(f"above {plain(self.above)}")
        if self.most is not None:
            words.append(f"at most {plain(self.most)}")
        if self.below is not None:
            words.append(f"below {plain(self.below)}")
        return " and ".join(words)


def plain(bound: float) -> str:
    """A bound as it is read best."""
    powers = {2**63 - 1: "2^63 - 1", 2**32 - 1: "2^32 - 1", 2**31 - 1: "2^31 - 1"}
    if bound == LARGEST_FLOAT:
        return "3.4e38, the largest float32"
    return powers.get(int(bound), f"{bound:,}" if isinstance(bound, int) else f"{bound:g}")


# Floating-point numbers
Finite = Annotated[float, Range()]
Positive = Annotated[float, Range(above=0)]
NonNegative = Annotated[float, Range(least=0)]
Share = Annotated[float, Range(least=0, most=1)]
ProperShare = Annotated[float, Range(above=0, below=1)]
ClipBound = Annotated[float, Range(above=0, hint="null does not clip")]
Decay = Annotated[float, Range(least=0, below=1)]  # of a running mean: momentum, beta

# Integers
Count = Annotated[int, Range(least=1, limit=2**31 - 1)]
Natural = Annotated[int, Range(least=0, limit=2**31 - 1)]
LARGEST_DRAW = 10**7
Samples = Annotated[int, Range(least=1, limit=LARGEST_DRAW)]  # drawn and held in memory
BatchSize = Annotated[int, Range(least=1, limit=2**20)]
Steps = Annotated[int, Range(least=1)]
Interval = Annotated[int, Range(least=0)]  # in steps; 0: never
Seed = Annotated[int, Range(least=0)]
Seed32 = Annotated[int, Range(least=0, limit=2**32 - 1)]  # of numpy's RandomState
Units = Annotated[int, Range(least=1, limit=2**20)]  # units, channels or features of a layer
Depth = Annotated[int, Range(least=1, limit=1000)]  # layers, or steps that are differentiated
Pixels = Annotated[int, Range(least=1, limit=65_535)]  # side of an image
Threads = Annotated[int, Range(least=1, limit=1024)]
Processes = Annotated[int, Range(least=0, limit=1024)]
