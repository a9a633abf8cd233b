"""Runs a command in this process and judges how it ended."""

import contextlib
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# A sweep with a failed job; settings, storage, data, memory. A short command neither diverges nor
# is stopped by a signal.
STATUSES = (0, 1, 2, 4, 5, 6)
HYDRAS = "Error executing job with overrides: "  # Hydra repeats them in full
FORECAST = 20  # seconds after which a forecast, which tries networks of any size, is cut off
LONGEST_LINE = 1000  # characters of a refusal that a person still reads


class TooSlowError(BaseException):
    """A case took longer than its limit; no `except Exception` of the program catches it."""


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    status: int | None  # None: an exception reached the caller, or time ran out
    out: str
    err: str

    def fault(self) -> str | None:
        """What is wrong with the way the command ended; None if nothing is."""
        if "Traceback (most recent call last)" in self.err + self.out:
            return f"traceback (status {self.status}):\n{self.err[-3000:]}"
        if self.status not in STATUSES:
            return f"status {self.status}:\n{self.err[-1000:]}"
        if "HYDRA_FULL_ERROR" in self.err:
            return f"an error in Hydra's words (status {self.status}):\n{self.err[-1000:]}"
        if self.status and not self.err.strip():
            return f"status {self.status} without a word"
        lines = [line for line in self.err.splitlines() if not line.startswith(HYDRAS)]
        too_long = [line for line in lines if len(line) > LONGEST_LINE]
        return f"a line of {len(too_long[0])} characters: {too_long[0][:200]}" if too_long else None


def outcome_of(main: Callable[[], object], words: list[str], limit: int = 60) -> Outcome:
    """Runs `main` with `words` as the command line, for at most `limit` seconds."""
    out, err = io.StringIO(), io.StringIO()
    status: int | None = 0
    if "check=true" in words:
        limit = min(limit, FORECAST)
    with as_process(["gan", *words]), redirected(out, err), time_limit(limit):
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except TooSlowError:
            # A sweep may have many jobs.
            status = 0 if {"-m", "--multirun", "check=true"} & set(words) else None
            err.write(f"took longer than {limit} s")
        except BaseException:
            status = None
            traceback.print_exc(file=err)
    return Outcome(status, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def redirected(out: io.StringIO, err: io.StringIO) -> Iterator[None]:
    """Standard output and error, which the terminal and the log of the program follow."""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


@contextlib.contextmanager
def as_process(argv: list[str]) -> Iterator[None]:
    """The arguments, folder, signals and log of a process of its own."""
    folder, words, path = Path.cwd(), sys.argv, list(sys.path)
    handlers, level = list(logging.root.handlers), logging.root.level
    signals = {n: signal.getsignal(n) for n in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM)}
    environment = dict(os.environ)
    sys.argv, logging.root.handlers = list(argv), []
    try:
        yield
    finally:
        sys.argv, logging.root.handlers = words, handlers
        logging.root.setLevel(level)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in signals.items():
            signal.signal(number, handler)
        os.chdir(folder)


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TooSlowError in the main thread after `seconds`."""

    def end(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
