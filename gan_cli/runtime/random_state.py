"""Random state of the CPU and of a device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def fixed_random_state(device: torch.device, seed: int = 0) -> Iterator[Callable[[], bool]]:
    """Context in which the CPU and `device` are seeded; their random states are restored on exit.

    Unlike torch.random.fork_rng, it serves MPS, too. Yields a function that says whether random
    numbers have been drawn since.
    """
    sources = random_sources(device)
    before = [source.get_rng_state() for source in sources]
    seed_generators(device, seed)
    seeded = [source.get_rng_state() for source in sources]
    try:
        yield lambda: any(
            not torch.equal(source.get_rng_state(), state)
            for source, state in zip(sources, seeded, strict=True)
        )
    finally:
        for source, state in zip(sources, before, strict=True):
            source.set_rng_state(state)


def random_sources(device: torch.device) -> list[Any]:
    """The modules that have the random state of the CPU and of a device."""
    return [torch.random] + ([] if device.type == "cpu" else [torch.get_device_module(device)])


def seed_generators(device: torch.device, seed: int) -> None:
    """Seeds the default generators of the CPU and of the device.

    torch.manual_seed also asks the backends that are not in use, which format a stack trace (0.2
    ms) and keep it, at every call.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)
