"""log.txt of a run: all that is printed and logged, in the order of time."""

import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gan_cli.utils.console import stamped
from gan_cli.utils.errors import StorageError, UserError
from gan_cli.utils.files import append_text
from gan_cli.utils.side_files import set_aside


class LogFile(logging.Handler):
    """Appends to log.txt in `folder`; without a folder, as on ranks above 0, nothing is written.

    Lines from before `open` are kept in memory, since a run that is refused writes no file.
    """

    def __init__(self, folder: Path | None) -> None:
        super().__init__()
        self.path = None if folder is None else folder / "log.txt"
        self.waiting: list[str] | None = []

    def open(self) -> None:
        """Writes the lines that wait, and from now on each line at once; raises StorageError."""
        waiting, self.waiting = self.waiting or [], None
        if self.path is not None:
            if self.path.is_dir():
                set_aside(self.path)
            append_text(self.path, "".join(waiting))

    def write(self, text: str) -> None:
        """Adds a text with the time; raises StorageError."""
        line = stamped(text) + "\n"
        if self.waiting is not None:
            self.waiting.append(line)
        elif self.path is not None:
            append_text(self.path, line)

    def emit(self, record: logging.LogRecord) -> None:
        """Adds a log record; an error of storage is left to the next line that is printed."""
        with suppress(StorageError):
            self.write(record.getMessage())

    def end(self, error: BaseException) -> None:
        """Adds the error that ends the run; a run that was refused has no file to add it to."""
        with suppress(StorageError):
            if self.waiting is not None and self.path is not None and self.path.is_file():
                self.open()
            if isinstance(error, UserError):
                self.write(f"gan_cli: {error}")
            elif isinstance(error, Exception):
                self.write("".join(traceback.format_exception(error)).rstrip())


@contextmanager
def recorded(folder: Path | None) -> Iterator[LogFile]:
    """Context of a run, whose log.txt gets log records, warnings and the error that ends it."""
    file, logger, shown = LogFile(folder), logging.getLogger("gan_cli"), warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        shown(message, category, *place, **more)
        with suppress(StorageError):
            file.write(f"{category.__name__}: {message}")

    logger.addHandler(file)
    warnings.showwarning = show
    try:
        yield file
    except BaseException as error:
        file.end(error)
        raise
    finally:
        warnings.showwarning = shown
        logger.removeHandler(file)
