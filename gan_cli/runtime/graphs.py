"""CUDA graphs: a computation that repeats is recorded once, then replayed as a whole.

Small networks keep a GPU waiting for the next kernel; a replay launches all kernels at once. The
same kernels run in the same order on random numbers of the same seed, so that results are equal.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger("gan_cli")
Inputs = dict[str, Tensor]
Compute = Callable[[Inputs], Any]
Key = tuple[Hashable, ...]  # name, variant and shapes of the inputs
WARM_UP = 3  # eager calls, in which kernels are chosen and optimizers get their state


class Graphs:
    """Records computations by key; those that cannot be recorded run eagerly.

    A computation reads its inputs and the same tensors at the same addresses in every call. It may
    add to the inputs, and returns tensors and plain values. What it does besides on the CPU is done
    only while it is recorded; what changes from call to call has to be a tensor on the device.
    """

    def __init__(self) -> None:
        self.pool: Any = None
        self.calls: Counter[Key] = Counter()
        self.recordings: dict[Key, Recording] = {}
        self.eager: dict[Key, str] = {}  # why these keys are not recorded

    def __call__(self, name: str, variant: Hashable, compute: Compute, inputs: Inputs) -> Any:
        """Returns compute(inputs), whose tensors the next call of any key may overwrite.

        `name` is how messages call it. The shapes of the inputs are part of the key.
        """
        key = (name, variant, *shapes(inputs))
        if key in self.recordings:
            return self.recordings[key].replay(inputs)
        self.calls[key] += 1
        if key in self.eager or self.calls[key] < WARM_UP:
            return compute(inputs)
        if self.calls[key] == WARM_UP:
            return self.watch(key, compute, inputs)
        random = torch.cuda.get_rng_state()
        try:
            recording = Recording(compute, inputs, self.shared_pool(), self.static())
        except RuntimeError as error:
            torch.cuda.set_rng_state(random)
            self.refuse(key, str(error).splitlines()[0])
            return compute(inputs)
        self.recordings[key] = recording
        return recording.replay(inputs)

    def watch(self, key: Key, compute: Compute, inputs: Inputs) -> Any:
        """Returns compute(inputs); refuses to record it if it waits for the device."""
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                result = compute(inputs)
            finally:
                torch.cuda.set_sync_debug_mode(before)
        waits = [w for w in caught if str(w.message).startswith("called a synchronizing")]
        if waits:
            where = f"{waits[0].filename}, line {waits[0].lineno}"
            self.refuse(key, f"it waits for the GPU ({where})")
        return result

    def refuse(self, key: Key, why: str) -> None:
        if key[0] not in {name for name, *_ in self.eager}:
            log.info("device.graphs: the turn of the %s is not recorded: %s", key[0], why)
        self.eager[key] = why

    def shared_pool(self) -> Any:
        """The memory of all recordings; what one returns stays, the rest is used by the next."""
        if self.pool is None:
            self.pool = torch.cuda.graph_pool_handle()
        return self.pool

    def static(self) -> set[int]:
        """The ids of the tensors that recordings return, which stay where they are."""
        return {id(t) for recording in self.recordings.values() for t in recording.added.values()}

    def clear(self) -> None:
        """Forgets all recordings: other tensors have taken the place of those that they read."""
        self.recordings.clear()
        self.calls.clear()
        self.eager.clear()
        self.pool = None


class Recording:
    """One recorded computation, with its inputs and results at fixed addresses."""

    def __init__(self, compute: Compute, inputs: Inputs, pool: Any, static: set[int]) -> None:
        self.inputs = {k: v if id(v) in static else v.clone() for k, v in inputs.items()}
        batch = dict(self.inputs)
        self.graph = torch.cuda.CUDAGraph()
        # Other threads, such as those that copy data, may go on calling CUDA meanwhile.
        with torch.cuda.graph(self.graph, pool=pool, capture_error_mode="thread_local"):
            self.result = compute(batch)
        self.added = {k: v for k, v in batch.items() if v is not self.inputs.get(k)}

    def replay(self, inputs: Inputs) -> Any:
        """Computes on `inputs`, adds what the computation adds, and returns its result."""
        for key, own in self.inputs.items():
            if inputs[key] is not own:
                own.copy_(inputs[key], non_blocking=True)
        self.graph.replay()
        inputs.update(self.added)
        return self.result


def shapes(inputs: Mapping[str, Tensor]) -> tuple[Hashable, ...]:
    return tuple((key, value.shape, value.dtype) for key, value in inputs.items())
