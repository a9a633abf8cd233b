"""Errors that end a command, each with its exit status. They are printed without a traceback."""

import signal


class UserError(Exception):
    """An error that the user can correct; the message has one line per fault."""

    status = 1


class ConfigError(UserError, ValueError):
    """Everything wrong with a config; a fault says key path, what is wrong and what to type."""

    status = 2

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class NonFiniteError(UserError):
    """A loss or a parameter is infinite or NaN."""

    status = 3


class StorageError(UserError):
    """A checkpoint cannot be written or read."""

    status = 4


class DataError(UserError):
    """A sample cannot be read any more: its file is missing, broken or changed."""

    status = 5


class OutOfMemoryError(UserError):
    """The memory of the computer or of the GPU does not suffice."""

    status = 6


class SignalError(UserError):
    """A signal stopped the run, after its checkpoint was written."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}: {message}")
        self.status = 128 + number
