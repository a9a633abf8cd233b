"""Errors that end a command, each with its exit status. They are printed without a traceback."""

import os
import signal
import sys
import time


class UserError(Exception):
    """An error that the user can correct; the message has one line per fault."""

    status = 1
    told = False  # has it been printed, here or by another process?


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


class ProcessError(UserError):
    """The first error of several processes, with which all of them end."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class SignalError(UserError):
    """A signal stopped the run, after its checkpoint was written."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}: {message}")
        self.status = 128 + number


def print_error(error: UserError) -> None:
    """Prints an error on stderr, once for all processes of a run on this machine.

    Errors of the command line and the config appear in all of them at nearly the same time. The
    others wait for the first one, since torchrun ends all as soon as one of them ends.
    """
    if error.told:
        return
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(f"gan_cli: {error}", file=sys.stderr, flush=True)
    else:
        time.sleep(10)
