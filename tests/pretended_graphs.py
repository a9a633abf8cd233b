"""Pretended CUDA graphs on the CPU.

Recording notes every operation below autograd and undoes what it wrote, as CUDA's computes nothing.
Replaying repeats the operations on the tensors of the recording: numbers that Python has computed
meanwhile, and tensors that have been replaced, are not seen, as on a GPU.
"""

from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Any]]] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}  # storages as they were

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("a recorded computation reads a value")
        schema = func._schema
        for argument, value in zip(schema.arguments, args, strict=False):
            self.remember(argument, value)
        for argument in schema.arguments:
            if argument.name in kwargs:
                self.remember(argument, kwargs[argument.name])
        result = func(*args, **kwargs)
        views = any(r.alias_info and not r.alias_info.is_write for r in schema.returns)
        if not views and func is not torch.ops.aten.detach.default:
            self.operations.append((func, args, kwargs, tree_leaves(result)))
        return result

    def remember(self, argument, value) -> None:
        # The schema of native_batch_norm does not say that it writes its running statistics.
        writes = argument.alias_info is not None and argument.alias_info.is_write
        if writes or argument.name in ("running_mean", "running_var"):
            for tensor in tree_leaves(value):
                if isinstance(tensor, Tensor):
                    key = tensor.untyped_storage().data_ptr()
                    self.before.setdefault(key, (tensor, tensor.detach().clone()))


class PretendedGraph:
    def __init__(self) -> None:
        self.recorder = Recorder()
        self.replays = 0

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        for func, args, kwargs, results in self.recorder.operations:
            again = tree_leaves(func(*args, **kwargs))
            for old, new in zip(results, again, strict=True):
                if isinstance(old, Tensor) and old is not new:
                    old.detach().copy_(new)


ACTIVE: list[PretendedGraph] = []  # those that are being recorded


@contextmanager
def record(graph: PretendedGraph, **options: Any):
    state = torch.get_rng_state()
    ACTIVE.append(graph)
    try:
        with graph.recorder:
            yield
    finally:
        ACTIVE.pop()
        with torch.no_grad():
            for tensor, values in graph.recorder.before.values():
                tensor.detach().copy_(values)
        torch.set_rng_state(state)


def pretend(monkeypatch) -> None:
    """Makes runs on the CPU record their turns."""
    monkeypatch.setattr("gan_cli.runtime.runtime.Runtime.records_graphs", lambda *_: True)
    monkeypatch.setattr("gan_cli.training.shortage.capturing", lambda: bool(ACTIVE))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", PretendedGraph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_rng_state", torch.get_rng_state)
    monkeypatch.setattr(torch.cuda, "set_rng_state", torch.set_rng_state)
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: None)
