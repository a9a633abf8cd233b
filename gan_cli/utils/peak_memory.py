"""The most memory that a process, or a part of its work, has held."""

import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]


def peak_memory(device: torch.device) -> int | None:
    """The most bytes that this process has held: tensors of a GPU, else the resident set."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


@contextmanager
def peak_of(device: torch.device) -> Iterator[Callable[[], int]]:
    """Yields a function that returns the most bytes that the context has allocated at a time."""
    if device.type == "cuda":
        benchmark, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        try:
            yield lambda: int(torch.cuda.max_memory_allocated(device) - before)
        finally:
            torch.backends.cudnn.benchmark = benchmark  # whose trials take much memory
        return
    with Allocations() as allocations:
        yield lambda: allocations.most


class Allocations(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make, until they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.live = weakref.WeakSet[torch.UntypedStorage]()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {leaf.untyped_storage() for leaf in tree_leaves((args, kwargs)) if tensor(leaf)}
        for leaf in tree_leaves(result):
            if tensor(leaf) and leaf.untyped_storage() not in given:
                self.add(leaf.untyped_storage())
        return result

    def add(self, storage: torch.UntypedStorage) -> None:
        """Counts a storage, unless it is known, until it is freed."""
        if storage in self.live:
            return
        size = storage.nbytes()
        self.live.add(storage)
        weakref.finalize(storage, self.free, size).atexit = False
        self.now += size
        self.most = max(self.most, self.now)

    def free(self, size: int) -> None:
        self.now -= size


def tensor(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.layout == torch.strided
