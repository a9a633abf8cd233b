"""SIGINT, SIGTERM and SIGUSR1 ask a run to stop after the current step."""

import signal
import threading
from types import FrameType, TracebackType

HANDLED = ("SIGINT", "SIGTERM", "SIGUSR1")  # SIGUSR1: what SLURM sends before the time limit


class StopSignal:
    """A context in which those signals only leave a note; a second one ends the process at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.previous: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():  # Python allows it there alone
            for name in HANDLED:
                number = getattr(signal, name)
                self.previous[number] = signal.signal(number, self.note)
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def note(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.received = number
