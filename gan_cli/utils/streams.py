"""Standard output and error that may be closed, on a full disk, or no longer read."""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from gan_cli.utils.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare_streams(output_matters: bool) -> None:
    """Makes errors of writing to the standard streams either harmless or one line.

    Errors on stderr are ignored. So are those on stdout unless `output_matters`: training goes on
    without its terminal. Otherwise, a closed pipe is a BrokenPipeError, and another error a
    StorageError. Streams that were replaced, as in a notebook, are left alone.
    """
    for number in range(3):
        if not is_open(number):  # else the next file that is opened would get what is printed
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is sys.__stdout__:
        sys.stdout = stream(1, sys.stdout, output_matters)
    if sys.stderr is sys.__stderr__:
        sys.stderr = stream(2, sys.stderr, False)


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def stream(number: int, old: io.TextIOWrapper | None, matters: bool) -> io.TextIOWrapper:
    """A text stream like `old`, which is None if it was closed at the start of Python."""
    return io.TextIOWrapper(
        io.BufferedWriter(Output(number, matters)),
        encoding=old.encoding if old else "utf-8",
        errors=old.errors if old else "replace",
        line_buffering=bool(old and old.line_buffering),
        write_through=bool(old and old.write_through),
    )


class Output(io.FileIO):
    """The file of a standard stream; after an error, what is written to it is thrown away."""

    def __init__(self, number: int, matters: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self.matters = matters

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            if not self.matters:
                return len(memoryview(data).cast("B"))
            if error.errno == errno.EPIPE:
                raise
            raise StorageError(f"cannot write to standard output ({error.strerror})") from error
