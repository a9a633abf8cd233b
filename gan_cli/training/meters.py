"""Running means of loss terms, accumulated on the device and read at `every.log`."""

import math
from typing import Any

import torch

from gan_cli.losses.terms import Values
from gan_cli.utils.errors import NonFiniteError

MOST_ROWS = 1000  # turns whose values stay on the device


class Meters:
    """Collects values without synchronization; `read` copies them in one transfer.

    Every MOST_ROWS turns they are copied too, so that a run without logs needs no more memory.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, Values]] = []
        self.sums: dict[str, tuple[float, int]] = {}  # (sum, count) since the last `read`
        self.first: dict[str, float] = {}  # values of the first turns, before their updates
        self.losses = set[str]()  # names of the values that are losses

    def add(self, step: int, player: str, values: Values) -> None:
        """Adds the values of a turn; raises what `collect` does."""
        self.rows.append((step, player, values))
        if len(self.rows) >= MOST_ROWS:
            self.collect()

    def collect(self) -> None:
        """Adds the rows to the sums; without communication, since `Turns` has averaged them.

        Raises NonFiniteError, which names the first loss term that is not finite, with its player
        and step.
        """
        if not self.rows:
            return
        rows, self.rows = self.rows, []
        numbers = iter(torch.cat([row[-1].values for row in rows]).tolist())
        first: dict[str, float] = {}
        for step, player, values in rows:
            for i, (name, number) in enumerate(zip(values.names, numbers, strict=False)):
                if i < values.losses and not math.isfinite(number):
                    raise NonFiniteError(f"step {step}: {player}/{name} is {number}")
                total, count = self.sums.get(f"{player}/{name}", (0.0, 0))
                self.sums[f"{player}/{name}"] = (total + number, count + 1)
                first.setdefault(f"{player}/{name}", number)
                if i < values.losses:
                    self.losses.add(f"{player}/{name}")
        self.first = self.first or first

    def read(self) -> dict[str, float]:
        """Returns means since the last call by "<player>/<name>"; raises what `collect` does."""
        self.collect()
        sums, self.sums = self.sums, {}
        return {name: total / count for name, (total, count) in sums.items()}

    def clear(self) -> None:
        """Forgets all values since the last call of `read`."""
        self.rows.clear()
        self.sums.clear()

    def state_dict(self) -> dict[str, Any]:
        """The collected values, so that the means of a resumed run are those of a whole one."""
        sums = {name: list(pair) for name, pair in self.sums.items()}
        return {"sums": sums, "first": dict(self.first), "losses": sorted(self.losses)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.clear()
        sums = state["sums"].items()
        self.sums = {str(name): (float(total), int(count)) for name, (total, count) in sums}
        self.first = {str(name): float(value) for name, value in state["first"].items()}
        self.losses = set(map(str, state["losses"]))
        if any(count < 1 for _, count in self.sums.values()):
            raise ValueError("meters.sums: a count is below 1")
