"""The readings that rules judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from gan_cli.health.player_signals import Reading

NAN = float("nan")


@dataclass(frozen=True)
class History:
    """Input of a rule: the last readings and their steps, oldest first, the first one, peaks."""

    steps: Sequence[int]
    readings: Sequence[Reading]
    first: Reading
    peaks: Reading

    @property
    def step(self) -> int:
        return self.steps[-1]

    def now(self, name: str) -> float:
        """Returns a signal of the newest reading; NaN, which fails all comparisons, if missing."""
        return self.readings[-1].get(name, NAN)

    def largest(self, prefix: str) -> float:
        """Returns the largest signal with this prefix in the newest reading."""
        return largest(self.readings[-1], prefix)

    def smallest(self, prefix: str) -> float:
        """Returns the smallest signal with this prefix in the newest reading, NaN if missing."""
        return min((v for k, v in self.readings[-1].items() if k.startswith(prefix)), default=NAN)

    def has(self, prefix: str) -> bool:
        """Returns whether a signal with this prefix has been read."""
        return any(key.startswith(prefix) for reading in self.readings for key in reading)

    def recent(self, prefix: str, count: int) -> list[float]:
        """Returns the largest signal with this prefix in each of the last `count` readings."""
        return [largest(reading, prefix) for reading in self.readings[-count:]]

    def averaged(self, name: str, steps: int) -> list[float]:
        """Returns means of a signal over stretches of at least `steps` steps, oldest first.

        Readings at every step are noisy: each is a single batch.
        """
        means: list[float] = []
        values: list[float] = []
        since = self.steps[0]
        for step, reading in zip(self.steps, self.readings, strict=True):
            values += [reading[name]] if name in reading else []
            if values and step - since >= steps:
                means.append(fmean(values))
                values, since = [], step
        return means


def largest(reading: Mapping[str, float], prefix: str) -> float:
    """Returns the largest signal with this prefix, over spaces or players; NaN if missing."""
    return max((v for k, v in reading.items() if k.startswith(prefix)), default=NAN)
