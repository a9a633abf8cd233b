"""Running means of loss terms, accumulated on the device and read at `every.log`."""

import math
from collections import defaultdict

import torch
from torch import Tensor

from gan_cli.losses.terms import Terms
from gan_cli.runtime.runtime import Runtime
from gan_cli.utils.errors import NonFiniteError


class Meters:
    """Collects 0-d tensors without synchronization; `read` copies them in one transfer."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.rows: list[tuple[int, str, list[str], int, Tensor]] = []

    def add(self, step: int, player: str, terms: Terms) -> None:
        named = {**terms.losses, **terms.observed}
        values = torch.stack([value.detach().float() for value in named.values()])
        self.rows.append((step, player, list(named), len(terms.losses), values))

    def read(self) -> dict[str, float]:
        """Returns means since the last call by "<player>/<name>", over steps and processes.

        Raises NonFiniteError, which names the first loss term that is not finite, with its player
        and step.
        """
        if not self.rows:
            return {}
        rows, self.rows = self.rows, []
        numbers = self.runtime.processes.mean(torch.cat([row[-1] for row in rows])).tolist()
        collected = defaultdict(list)
        for step, player, names, losses, values in rows:
            own, numbers = numbers[: len(values)], numbers[len(values) :]
            for i, (name, number) in enumerate(zip(names, own, strict=True)):
                if i < losses and not math.isfinite(number):
                    raise NonFiniteError(f"step {step}: {player}/{name} is {number}")
                collected[f"{player}/{name}"].append(number)
        return {name: sum(values) / len(values) for name, values in collected.items()}
