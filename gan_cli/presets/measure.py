"""What can be known only by trying: the memory of a step, and how many steps a second takes."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from gan_cli.config.schema import Config
from gan_cli.forecast.trial import Trial
from gan_cli.training.demand import USABLE, accumulations, measured
from gan_cli.utils.free_memory import free_memory
from gan_cli.utils.memory import TRAINING, as_size, memory_errors


@dataclass(frozen=True)
class Fit:
    """Into how many parts a batch has to be split, and why."""

    batch: int
    parts: int
    reason: str


@contextmanager
def trial_of(config: Config, folder: Path) -> Iterator[Trial]:
    """A trial whose memory is free again behind the context."""
    with memory_errors(TRAINING):
        trial = Trial(config, folder)
    try:
        yield trial
    finally:
        trial.feed.close()
        del trial
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def fit_of(trial: Trial, batch: int) -> Fit:
    """The fewest parts of the largest batch, up to `batch`, whose steps fit into the memory."""
    demand, free = measured(trial, batch), free_memory(trial.runtime.device)
    if demand is None or free is None:
        return Fit(batch, 1, "the memory of a step is not known")
    packing, usable = trial.game.packing, free * USABLE
    size = batch
    while size >= 4 * packing:
        for parts in (1, *accumulations(size, packing)):
            if size % packing == 0 and demand.of(size, parts) <= usable:
                needed = as_size(demand.of(size, parts))
                return Fit(size, parts, f"a step takes {needed} of {as_size(free)} that are free")
        size //= 2
    return Fit(batch, 1, f"even small steps take more than half of {as_size(free)}")


def speed_of(config: Config, folder: Path) -> float:
    """Steps per second, from some real steps."""
    with trial_of(config, folder) as trial:
        trial.measure()
        return trial.speed


@contextmanager
def quiet() -> Iterator[None]:
    """Leaves out what data sets tell each time that they are opened."""
    log = logging.getLogger("gan_cli")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)
