"""Random state of the CPU and of a device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def fixed_random_state(device: torch.device, seed: int = 0) -> Iterator[None]:
    """Context in which the CPU and `device` are seeded; their random states are restored on exit.

    Unlike torch.random.fork_rng, it serves MPS, too.
    """
    module: Any = None if device.type == "cpu" else torch.get_device_module(device)
    cpu = torch.default_generator.get_state()
    other = None if module is None else module.get_rng_state()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed formats a stack trace: 0.3 ms
    if module is not None:
        module.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(cpu)
        if module is not None:
            module.set_rng_state(other)
