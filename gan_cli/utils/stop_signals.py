"""Stops a run after the current step on SIGINT, SIGTERM or SIGUSR1."""

import signal
import threading
from types import FrameType, TracebackType

HANDLED = ("SIGINT", "SIGTERM", "SIGUSR1")  # SLURM sends SIGUSR1 before the time limit


class StopSignal:
    """A context in which these signals are only recorded; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.previous: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():  # elsewhere, Python refuses
            for name in HANDLED:
                number = getattr(signal, name)
                self.previous[number] = signal.signal(number, self.record)
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def record(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        if self.received is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.received = number
