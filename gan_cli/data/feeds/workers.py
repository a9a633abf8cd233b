"""Loader processes: started with enough open files, ended with the training process."""

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

from torch.utils.data import DataLoader

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.tensor_files import first_line

log = logging.getLogger(__name__)

# Ctrl-C and a scheduler's signals reach all processes; only the main one handles them.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")  # some are missing on Windows
HANDLED = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
PR_SET_PDEATHSIG = 1  # of Linux's prctl


class LostWorkerError(Exception):
    """A loader process has ended by itself; the message says how."""


class Loading:
    """A running iteration of a DataLoader, with its worker processes."""

    def __init__(self, loader: DataLoader[Any], batch_tensors: int) -> None:
        reserve_files(loader.num_workers, batch_tensors)
        before = set(multiprocessing.active_children())
        handler = signal.getsignal(signal.SIGCHLD) if hasattr(signal, "SIGCHLD") else None
        try:
            with signals_blocked():
                self.batches: Iterator[Any] = iter(loader)
        except (OSError, RuntimeError) as error:
            kill(set(multiprocessing.active_children()) - before)
            drop_half_made_iterator(error)
            raise ConfigError(
                f"device.workers: {loader.num_workers} loader processes cannot be started "
                f"({first_line(error)}); type a smaller number, or device.workers=0"
            ) from error
        finally:
            # PyTorch's handler would raise the death of a worker in the middle of a step; it is
            # also noticed, within 5 seconds, where the next batch is awaited.
            if handler is not None and signal.getsignal(signal.SIGCHLD) is not handler:
                signal.signal(signal.SIGCHLD, handler)
        self.workers = set(multiprocessing.active_children()) - before

    def __iter__(self) -> Iterator[Any]:
        """Yields the batches; raises LostWorkerError if a worker has ended by itself."""
        while True:
            try:
                batch = next(self.batches)
            except StopIteration:
                return
            except (OSError, RuntimeError, EOFError) as error:
                if not self.workers:
                    raise
                ended = [worker.exitcode for worker in self.workers if worker.exitcode is not None]
                raise LostWorkerError(cause_of_death(ended, error)) from error
            yield batch

    def close(self) -> None:
        """Ends the workers.

        Explicitly, since the traceback of an exception would keep the loader alive, and the program
        would wait for the workers when it exits.
        """
        try:
            if self.workers:
                self.batches._shutdown_workers()  # type: ignore[attr-defined]
        finally:
            kill(self.workers)


def drop_half_made_iterator(error: Exception) -> None:
    """Frees the iterator whose construction failed; its destructor would print a second error."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        traceback.clear_frames(error.__traceback__)
    finally:
        sys.unraisablehook = hook


def cause_of_death(statuses: Sequence[int], error: Exception) -> str:
    """Says how worker processes with these exit statuses ended."""
    if -signal.SIGKILL in statuses:
        return "was killed, as the kernel does when memory runs out"
    if any(status < 0 for status in statuses):
        number = -min(statuses)
        return f"was ended by {signal.Signals(number).name}"
    if statuses:
        return f"ended with status {max(statuses)}, its own message is above"
    return f"cannot be reached ({first_line(error)})"


def kill(workers: set[BaseProcess]) -> None:
    """Ends processes that may ignore other signals."""
    for worker in workers:
        if worker.is_alive():
            worker.kill()
            worker.join()


def start_worker(worker: int) -> None:  # noqa: ARG001
    """Makes a worker ignore the signals that the main process handles, and end with it."""
    for number in HANDLED:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Context in which signals are blocked, for workers until they call start_worker().

    Otherwise a signal that arrives while a worker is starting would kill it.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def reserve_files(workers: int, batch_tensors: int) -> None:
    """Raises the limit on open files to what the workers need; ConfigError if it is too low.

    Without it, a batch that a worker cannot send is lost, and the training waits for it for ever.
    """
    if workers == 0 or sys.platform == "win32":
        return
    import resource

    # Each worker has two pipes and a sentinel; two batches per worker are under way, whose tensors
    # are files in shared memory; and there are sockets, result queues and whatever is being read.
    needed = len(os.listdir("/dev/fd")) + 5 * workers + 2 * workers * batch_tensors + 24
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard == resource.RLIM_INFINITY or hard >= needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        return
    raise ConfigError(
        f"device.workers: {workers} loader processes need about {needed} open files, and the limit "
        f"is {hard}; raise it (ulimit -n {needed}), or type device.workers=0"
    )


@contextmanager
def many_accepted() -> Iterator[None]:
    """Context without PyTorch's warning of many workers, for which there is `warn_of_many`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")
        yield


def warn_of_many(workers: int) -> None:
    """Warns if there are more loader processes on this machine than CPU cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    total = workers * int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if cores and total > cores:
        log.warning(
            "device.workers: %d loader processes share %d CPU cores, which is slower than one per "
            "core; device.workers=%d fits",
            total,
            cores,
            max(cores * workers // total, 1),
        )
