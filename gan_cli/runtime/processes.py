"""Communication between the processes of a run, which torchrun starts."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from gan_cli.runtime.failures import Failures, attempt
from gan_cli.utils.errors import ProcessError

T = TypeVar("T")
# Rank 0 downloads and trains features alone; the end of a process is noticed at once.
TIMEOUT = 24 * 60.0  # minutes


class Processes:
    """The group of `world` processes, of which this one is `rank`.

    With one process, no method communicates.
    """

    def __init__(self, device: torch.device, timeout: float = TIMEOUT) -> None:
        """`timeout` is in minutes."""
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.device = device
        self.failures: Failures | None = None
        if self.world > 1:
            if not dist.is_initialized():
                with ended_by_sigterm():
                    backend = "nccl" if device.type == "cuda" else "gloo"
                    meet(backend, timedelta(minutes=timeout))
            self.failures = Failures(self.rank, self.world)

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """Context of a run: an error in any process ends it in all of them, with one message."""
        try:
            yield
        except BaseException as error:
            if self.failures is None:
                raise
            raise self.failures.end(error) from None
        finally:
            self.close()

    @contextmanager
    def communicating(self) -> Iterator[None]:
        """Context of a collective operation, which breaks if another process has ended."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise self.peer_error(error) from error

    def peer_error(self, error: Exception | None = None) -> ProcessError:
        """Returns the error of another process, because of which this one cannot go on."""
        assert self.failures is not None, "there are no other processes"
        return self.failures.peer_error(error)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Overwrites `tensors` with those of rank 0."""
        if self.world > 1:
            with self.communicating():
                for tensor in tensors:
                    dist.broadcast(tensor, 0)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replaces tensors by their means over all processes, in one flat all-reduce.

        DistributedDataParallel is not used, since its hooks do not support double backward.
        """
        if self.world == 1 or not tensors:
            return
        flat = self.mean(torch.cat([tensor.flatten() for tensor in tensors]))
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def mean(self, tensor: Tensor) -> Tensor:
        """Returns the mean of `tensor` over all processes."""
        if self.world > 1:
            with self.communicating():
                dist.all_reduce(tensor)
            tensor = tensor / self.world
        return tensor

    def any(self, flag: bool) -> bool:
        """Returns whether the flag is set in any process."""
        if self.world == 1:
            return flag
        with self.communicating():
            return bool(self.mean(torch.tensor(float(flag), device=self.device)))

    def share(self, value: T) -> T:
        """Returns the value of rank 0, plain data or tensors on the CPU, on every rank."""
        box = [value]
        if self.world > 1:
            with self.communicating():
                dist.broadcast_object_list(box, 0)
        return box[0]

    def gather(self, value: T) -> list[T]:
        """Returns the values of all ranks, plain data, on every rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        with self.communicating():
            dist.all_gather_object(values, value)
        return values

    def collected(self, value: T) -> list[T]:
        """Returns the values of all ranks, plain data or tensors on the CPU, on rank 0.

        The others get an empty list.
        """
        if self.world == 1:
            return [value]
        values: list[Any] | None = [None] * self.world if self.rank == 0 else None
        with self.communicating():
            dist.gather_object(value, values)
        return values or []

    def at_abrupt_end(self, action: Callable[[str], object]) -> None:
        """Calls `action` with the message if this process has to be ended as it cannot return."""
        if self.failures is not None:
            self.failures.at_end = action

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """Context in which rank 0 runs first, e.g. to download what the others then find."""
        if self.world > 1 and self.rank > 0:
            with self.communicating():
                dist.barrier()
        yield
        if self.world > 1 and self.rank == 0:
            with self.communicating():
                dist.barrier()

    def close(self) -> None:
        if self.failures is not None:
            failed = self.failures.failed.is_set()
            self.failures.leaving.set()
            # NCCL would wait for operations that a failed process never joins.
            if dist.is_initialized() and not (failed and dist.get_backend() == "nccl"):
                dist.destroy_process_group()


def meet(backend: str, timeout: timedelta) -> None:
    """Forms the group of processes; ProcessError if they cannot reach each other.

    torchrun may keep its key-value store when it starts them again, with addresses of the first
    ones, so each attempt has keys of its own.
    """
    try:
        store, rank, world = next(dist.rendezvous("env://", timeout=timeout))
        store = dist.PrefixStore(f"gan_cli/group/{attempt()}", store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=timeout)
    except (RuntimeError, ValueError) as error:  # torch's errors are RuntimeErrors
        lines = str(error).splitlines() or [type(error).__name__]
        raise ProcessError(
            f"the processes of this run cannot reach each other ({lines[0][:200]}); start all of "
            "them with torchrun",
            1,
        ) from error


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Context in which SIGTERM ends the process at once.

    Python's handlers wait for the end of the current call, here until all processes are there; a
    launcher that ends the others after an error of one would have to wait as long.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
