"""The samples of a score, which all processes of a run draw and embed together."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor

from gan_cli.games.draw import BATCH
from gan_cli.games.request import Given, Request
from gan_cli.metrics.metric import Collected
from gan_cli.runtime.processes import Processes
from gan_cli.utils.errors import NonFiniteError


def share_of(count: int, rank: int, world: int) -> range:
    """Returns which of `count` samples a process draws: whole batches, that differ by one at most.

    So every sample is drawn in a batch of the same size as in a single process.
    """
    batches = -(-count // BATCH)
    start, stop = (min(batches * r // world * BATCH, count) for r in (rank, rank + 1))
    return range(start, stop)


def part_of(request: Request, rows: range) -> Request:
    """Returns the request for the samples `rows`, whose inputs are loaded when they are drawn."""
    label = None if request.label is None else request.label[rows.start : rows.stop]
    given = {key: Shifted(value, rows.start) for key, value in request.given.items()}
    return replace(request, seeds=request.seeds[rows.start : rows.stop], label=label, given=given)


class Shifted:
    """Inputs from row `start` on."""

    def __init__(self, whole: Given, start: int) -> None:
        self.whole, self.start = whole, start

    def __getitem__(self, index: list[int]) -> Tensor:
        return self.whole[[self.start + i for i in index]]


def together(processes: Processes, make: Callable[[], Collected]) -> Collected | None:
    """Joins what all processes `make`, on rank 0; the others get their own share.

    All processes raise the NonFiniteError of one of them. Any other error is raised in its process
    alone, and the others get None, since they meet at the end of the step.
    """
    if processes.world == 1:
        return make()
    share, error = Collected(0), None
    try:
        share = make()
    except Exception as own:
        error = own
    parts = processes.collected((share, error is not None, not_finite(error)))
    failed = processes.share((any(f for _, f, _ in parts), *(text for *_, text in parts if text)))
    if len(failed) > 1:
        raise NonFiniteError(str(failed[1])) from error
    if error is not None:
        raise error
    if failed[0]:
        return None
    return joined([part for part, *_ in parts]) if parts else share


def not_finite(error: Exception | None) -> str:
    """The message of a NonFiniteError; "" for other errors."""
    return str(error) if isinstance(error, NonFiniteError) else ""


def joined(parts: list[Collected]) -> Collected:
    """Joins what processes have collected, in the order of their ranks."""
    parts = [part for part in parts if part.count]
    names = ("features", "logits", "labels", "samples")
    columns: dict[str, Any] = {}
    for name in names:
        found = [getattr(part, name) for part in parts]
        columns[name] = torch.cat(found) if found and found[0] is not None else None
    moments = [part.moments for part in parts if part.moments is not None]
    whole = reduce(add, moments) if moments else None
    return Collected(sum(part.count or 0 for part in parts), whole, **columns)
