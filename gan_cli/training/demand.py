"""The memory of a step, estimated before the first one: what cannot fit is refused in words.

Without this, a batch of millions would be allocated piece by piece until the system kills the
process.
"""

import copy
import logging
import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import torch

from gan_cli.data.dataset import Joint, MapDataset, part_with, pick
from gan_cli.data.feeds.decode import decode
from gan_cli.games.game import Batch
from gan_cli.runtime.random_state import fixed_random_state
from gan_cli.training.run import Run
from gan_cli.utils.errors import OutOfMemoryError, UserError
from gan_cli.utils.free_memory import free_memory
from gan_cli.utils.memory import as_size
from gan_cli.utils.peak_memory import peak_of

# Bytes that a step may take for each byte of its batch: some hundred in deep networks, some
# thousand for points in the plane. A batch that fits even so is not measured.
ACTIVATIONS = 2000
MEASURED = 2, 6  # samples of the measured steps
GROWTH = 2.0  # of the peak between them, so that samples, and not weights, decide it
LARGER = 16  # times as many samples otherwise
CUDA_MARGIN = 2.0  # a GPU says itself that its memory is full, and workspaces of cuDNN are counted
USABLE = 0.5  # share of the free memory that advice plans with
log = logging.getLogger("gan_cli")


@dataclass(frozen=True)
class Demand:
    """The memory of a step in bytes, as a function of its number of samples."""

    sample: float  # of each sample of a batch, stored and in model form
    turns: tuple[tuple[float, float], ...]
    # of each turn: gradients and the like, and for each sample that is computed at once

    def of(self, batch: int, parts: int = 1) -> float:
        turns = (fixed + batch / parts * computed for fixed, computed in self.turns)
        return batch * self.sample + max(turns)

    def largest(self, usable: float) -> int:
        """The largest batch, a power of two, that takes at most `usable` bytes; 0 if none does."""
        sizes = [2**power for power in range(32)]
        return max((size for size in sizes if self.of(size) <= usable), default=0)


def refuse_what_cannot_fit(run: Run) -> None:
    """Raises OutOfMemoryError if a step of the run needs more memory than is free.

    Costs nothing unless the batch is large compared with the free memory.
    """
    run.evaluation.check_memory()
    free = free_memory(run.runtime.device)
    world = run.runtime.processes.world
    batch = run.config.batch_size // world
    if free is None or batch * sample_bytes(run.dataset) * ACTIVATIONS < free:
        return
    demand = measured(run, batch)
    parts = run.config.accumulate
    certain = CUDA_MARGIN if run.runtime.device.type == "cuda" else 1.0
    if demand is not None and demand.of(batch, parts) > free * certain:
        advice = advised(demand, batch, free * USABLE, world, run.game.packing)
        raise OutOfMemoryError(
            f"batch_size: a step of {run.config.batch_size} samples"
            f"{f' with accumulate={parts}' if parts > 1 else ''} needs about "
            f"{as_size(demand.of(batch, parts))} of memory on {run.runtime.device.type}, and "
            f"{as_size(free)} are free; {advice}"
        )


def advised(demand: Demand, batch: int, usable: float, world: int, packing: int) -> str:
    """What to type so that a step takes at most `usable` bytes."""
    fitting = min(demand.largest(usable), batch) // packing * packing * world
    parts = next((n for n in accumulations(batch, packing) if demand.of(batch, n) <= usable), None)
    smaller = f"batch_size={fitting}" if fitting else ""
    split = f"accumulate={parts} (parts of a batch, one after the other)" if parts else ""
    typed = " or ".join(filter(None, [smaller, split]))
    return f"type {typed}" if typed else "lower the width of the networks or the size of the images"


def accumulations(batch: int, packing: int) -> Iterator[int]:
    """Numbers of equal parts into which a batch can be split, in ascending order."""
    low = [n for n in range(2, math.isqrt(batch) + 1) if batch % n == 0]
    high = [batch // n for n in reversed([1, *low])]
    packs = (n for n in dict.fromkeys([*low, *high]) if batch // n % packing == 0)
    return (n for n in packs if batch // n >= 2 * packing)


def sample_bytes(dataset: MapDataset | Joint) -> float:
    """Bytes of a sample in stored form and in model form, of all fields."""
    spec = dataset.spec  # type: ignore[union-attr]
    stored = [pick(part_with(dataset, key), key, torch.zeros(1).long()) for key in spec.fields]
    return float(sum(value.nbytes + 4 * value.numel() for value in stored))


def measured(run: Run, batch: int) -> Demand | None:
    """The demand of the run's turns, from two small steps; None if it cannot be measured.

    With more samples, until these take more than the gradients of the weights, or are a `batch`.
    """
    few, more = (size * run.game.packing for size in MEASURED)
    try:
        with fixed_random_state(run.runtime.device, 0):
            peaks = turn_peaks(run, few), turn_peaks(run, more)
            while max(peaks[1]) < GROWTH * max(peaks[0]) and more * LARGER <= batch:
                few, more = few * LARGER, more * LARGER
                peaks = turn_peaks(run, few), turn_peaks(run, more)
    except UserError:
        raise
    except Exception as error:  # of a game or a network that cannot be copied, say
        log.debug("the memory of a step is not known: %s", error)
        return None
    slopes = [(high - low) / (more - few) for low, high in zip(*peaks, strict=True)]
    lines = [(low - few * slope, slope) for low, slope in zip(peaks[0], slopes, strict=True)]
    return Demand(sample_bytes(run.dataset), tuple((max(a, 0.0), max(b, 0.0)) for a, b in lines))


def turn_peaks(run: Run, size: int) -> list[int]:
    """The most bytes that each turn of a step allocates for a batch of `size` samples.

    The turns are played with a copy of the game.
    """
    game, first = copy.deepcopy(run.game), first_samples(run, size)
    batch, found = dict(first), dict[Hashable, int]()
    for turn in game.turns(0):
        batch = dict(first) if turn.draw else batch
        if (turn.player, turn.variant) in found:  # the same computation again
            continue
        networks = [game.networks[role] for role in game.players[turn.player]]
        for network in networks:
            network.requires_grad_(True)
        with peak_of(run.runtime.device) as peak, run.runtime.autocast():
            turn.loss(batch).total().backward()
        found[turn.player, turn.variant] = peak()
        for network in networks:
            network.requires_grad_(False).zero_grad()
    return list(found.values())


def first_samples(run: Run, size: int) -> Batch:
    """Samples in model form on the device; those of a small data set are repeated."""
    found = {}
    for key in run.dataset.spec.fields:
        part = part_with(run.dataset, key)
        found[key] = pick(part, key, torch.arange(size) % len(part)).to(run.runtime.device)
    return decode(found, run.dataset.spec.fields)
