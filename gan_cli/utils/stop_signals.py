"""Ends a command, or a run after its current step, on the signals that ask for it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType

# Ctrl-C, kill, a closed terminal, and what SLURM and submitit send before the time limit.
HANDLED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
ONE_EVENT = 1.0  # seconds; a terminal or torchrun may deliver one event as several signals


def stop_signals() -> Iterator[int]:
    """The signals to handle; SIGHUP is left alone under nohup, which ignores it."""
    for name in HANDLED:
        number = getattr(signal, name)
        if name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:
            yield number


def exit_on_signals() -> None:
    """Makes stop signals end this process with status 128 + number and a line on stderr.

    Commands call it before their imports, which would otherwise end in a traceback.
    """
    owner = os.getpid()

    def end(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != owner:
            end_worker(number)
        else:
            name = signal.Signals(number).name
            if os.environ.get("RANK", "0") == "0":  # of several processes, one reports it
                os.write(
                    2, f"gan_cli: stopped by {name} before the command had finished\n".encode()
                )
            sys.exit(128 + number)

    for number in stop_signals():
        signal.signal(number, end)


def end_worker(number: int) -> None:
    """Handles a signal in a forked loader process, which inherits handlers.

    It ends with its parent, which receives the signals of a terminal too.
    """
    if number == signal.SIGTERM:  # the parent's
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


class StopSignal:
    """A context in which stop signals are only recorded; a later one ends the process at once.

    On exit, a signal for which another program, such as submitit, had a handler of its own is
    passed on to it.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.at = 0.0
        self.owner = os.getpid()
        self.previous: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():  # elsewhere, Python refuses
            for number in stop_signals():
                self.previous[number] = signal.signal(number, self.record)
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        if self.received is not None and is_foreign(self.previous.get(self.received)):
            signal.raise_signal(self.received)

    def record(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        if os.getpid() != self.owner:
            end_worker(number)
        elif self.received is None:
            self.received, self.at = number, time.monotonic()
        elif time.monotonic() - self.at > ONE_EVENT:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def is_foreign(handler: "signal._HANDLER") -> bool:
    """Whether a handler is neither Python's default nor that of `exit_on_signals`."""
    own = (signal.default_int_handler, None)
    module = getattr(handler, "__module__", None)
    return callable(handler) and handler not in own and module != __name__
