"""What can end a command, each with its exit status; none of them deserves a traceback."""

import signal


class UserError(Exception):
    """One line a fault, for the person at the keyboard."""

    status = 1


class ConfigError(UserError, ValueError):
    """Everything wrong with a config, one line a fault: key path, what is wrong, what to type."""

    status = 2

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class NonFiniteError(UserError):
    """A loss or a parameter is infinite or not a number."""

    status = 3


class StorageError(UserError):
    """A checkpoint cannot be written or read."""

    status = 4


class SignalError(UserError):
    """A signal asked the run to stop; its checkpoint is written."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}: {message}")
        self.status = 128 + number
