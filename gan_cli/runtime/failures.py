"""Ends all processes of a run when one of them fails, with one line and one exit status.

A process that waits for another in a collective operation cannot see that the other one has failed.
So the first failure is written to the key-value store through which the processes found each other,
and a thread of every process looks for it there.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import count

import torch.distributed as dist

from gan_cli.utils.errors import ProcessError, SignalError, UserError

POLL = 0.2  # seconds between two looks for a failure
PATIENCE = 3.0  # seconds in which a process reads the store and tells of a failure
GRACE = 10.0  # seconds after which a process that is still computing or waiting is ended
runs = count()  # of this process, so that the jobs of a sweep do not share keys


def attempt() -> str:
    """Tells the starts of processes by one torchrun apart, which may share a key-value store.

    A restart because machines have joined or left does not count, but changes the number.
    """
    return "{TORCHELASTIC_RESTART_COUNT}-{WORLD_SIZE}".format_map(
        {"TORCHELASTIC_RESTART_COUNT": "0", **os.environ}
    )


@dataclass(frozen=True)
class Failure:
    """The first error of all processes."""

    rank: int
    status: int
    message: str


class Failures:
    """Publishes the failure of this process, and looks for those of others."""

    def __init__(self, rank: int, world: int) -> None:
        self.rank, self.world = rank, world
        prefix = f"gan_cli/{attempt()}/{next(runs)}"
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # A connection of its own: that of torch.distributed may be blocked by a collective.
        store = dist.TCPStore(address, port, timeout=timedelta(seconds=60), wait_for_workers=False)
        self.store = dist.PrefixStore(prefix, store)
        self.first: Failure | None = None
        self.failed = threading.Event()  # some process has
        self.leaving = threading.Event()  # the main thread ends the run, or has ended it
        self.once = threading.Lock()
        self.told = False
        self.at_end: Callable[[str], object] | None = None  # called before GRACE ends the process
        threading.Thread(target=self.watch, name="failures", daemon=True).start()

    def watch(self) -> None:
        """Waits for a failure; ends the process if its main thread does not."""
        while not self.look():
            if self.leaving.wait(POLL):
                return
        assert self.first is not None
        failure = self.first
        if self.rank > 0:
            self.hear()
        elif not self.leaving.wait(2 * POLL):
            self.tell(self.with_rank(failure))
        if not self.leaving.wait(GRACE):
            if self.at_end is not None:
                self.at_end(failure.message)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(failure.status)

    def look(self) -> bool:
        """Returns whether a process has failed, also without a word."""
        try:
            if not self.store.check(["failure"]):
                return False
            self.first = Failure(**json.loads(self.store.get("failure")))
        except RuntimeError:  # the process with the store has ended
            self.first = lost(0)
        self.failed.set()
        return True

    def end(self, error: BaseException) -> UserError:
        """Publishes an error of this process; returns the error with which it is to end.

        Returns when rank 0 has printed the error, so that no launcher ends it before.
        """
        first = self.describe(error)
        if not isinstance(error, ProcessError):
            first = self.publish(first)
        self.leaving.set()
        self.failed.set()
        if self.rank == 0:
            alone = first.rank > 0 and (
                isinstance(error, ProcessError) or first.message != str(error)
            )
            self.tell(self.with_rank(first) if alone else first.message)
            # The store may be in this process.
            self.wait_until(lambda: self.store.add("heard", 0) >= self.world - 1)
        elif not self.hear():
            self.tell(self.with_rank(first))  # rank 0 has gone
        ending = ProcessError(first.message, first.status)
        ending.told = True
        return ending

    def describe(self, error: BaseException) -> Failure:
        """Returns the failure that an error of the main thread stands for."""
        if isinstance(error, ProcessError) and self.first is not None:
            return self.first
        if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:
            error = SignalError(error.code - 128, "before the first step")
        if isinstance(error, KeyboardInterrupt):
            error = SignalError(signal.SIGINT, "before the first step")
        if isinstance(error, UserError):
            return Failure(self.rank, error.status, str(error))
        traceback.print_exception(error)
        what = traceback.format_exception_only(error)[-1].strip()
        return Failure(self.rank, 1, f"process {self.rank} of {self.world} failed: {what}")

    def hear(self) -> bool:
        """Waits until rank 0 has printed the failure, and lets it know; returns whether it has."""
        with self.once:
            if not self.told and self.wait_until(lambda: self.store.check(["told"])):
                self.told = True
                self.wait_until(lambda: self.store.add("heard", 1) > 0)
            return self.told

    def publish(self, failure: Failure) -> Failure:
        """Publishes a failure unless there is one; returns the first one."""
        try:
            text = self.store.compare_set("failure", "", json.dumps(asdict(failure)))
            return Failure(**json.loads(text))
        except RuntimeError:  # the process with the store has ended
            return failure

    def with_rank(self, failure: Failure) -> str:
        prefix = f"process {failure.rank} of {self.world}"
        known = failure.rank >= 0 and not failure.message.startswith(prefix)
        return f"{prefix}: {failure.message}" if known else failure.message

    def tell(self, message: str) -> None:
        """Prints the message unless a process has done so."""
        with self.once:
            me = str(self.rank)
            try:
                told = self.store.compare_set("told", "", me).decode() != me
            except RuntimeError:  # the process with the store has ended
                told = self.told
            if not (told or self.told):
                print(f"gan_cli: {message}", file=sys.stderr, flush=True)
            self.told = True

    def peer_error(self, error: Exception | None = None) -> ProcessError:
        """Returns the error of the process whose end has broken a collective operation."""
        if not self.failed.wait(PATIENCE):
            self.first = self.publish(lost(None, error))
        self.leaving.set()
        assert self.first is not None
        return ProcessError(self.first.message, self.first.status)

    def wait_until(self, condition: Callable[[], bool]) -> bool:
        """Waits until a condition on the store is met, the store is gone, or PATIENCE ends."""
        deadline = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < deadline:
                if condition():
                    return True
                time.sleep(POLL / 4)
        except RuntimeError:
            pass
        return False


def lost(rank: int | None, error: Exception | None = None) -> Failure:
    """The failure of a process that has ended without a word."""
    who = "another process" if rank is None else f"process {rank}"
    lines = [] if error is None else str(error).splitlines()
    if any("timed out" in line.lower() for line in lines):
        return Failure(
            -1,
            1,
            "a process of this run has waited too long for another one; raise device.timeout "
            "(minutes) if that one was busy; the same command resumes from the last checkpoint",
        )
    why = "" if not lines or "by peer" in lines[0] else f" ({lines[0]})"
    return Failure(
        -1,
        1,
        f"{who} of this run has ended without a message, e.g. killed for want of memory{why}; the "
        "same command resumes from the last checkpoint",
    )
