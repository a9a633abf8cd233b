"""Writes the logs of a run: TensorBoard events, metrics.jsonl, pictures and run.json."""

import logging
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_cli.utils.errors import StorageError
from gan_cli.utils.files import append_text, atomic_file, make_folder
from gan_cli.utils.images import save_png
from gan_cli.utils.side_files import read_object, read_rows, set_aside
from gan_cli.utils.storage import storage_errors
from gan_cli.utils.strict_json import dumps, write_json

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger("gan_cli")


class Logger:
    """Writes logs into `folder`; if it is None, as on ranks above 0, nothing is written."""

    def __init__(self, folder: Path | None, resumed_at: int = 0) -> None:
        self.folder, self.resumed_at = folder, resumed_at
        self._writer: SummaryWriter | None = None
        if folder is not None:
            make_folder(folder)
            drop_later_lines(folder / "metrics.jsonl", resumed_at)

    @property
    def writer(self) -> "SummaryWriter":
        if self._writer is None:  # lazily, since the import alone takes 2.7 s
            from torch.utils.tensorboard import SummaryWriter

            folder = str(self.folder)
            self._writer = SummaryWriter(folder, purge_step=self.resumed_at + 1)
            silence_event_writer()
        return self._writer

    def event_errors(self) -> AbstractContextManager[None]:
        """A context in which errors of TensorBoard's writer become StorageErrors."""
        assert self.folder is not None
        return storage_errors(self.folder / "events.out.tfevents", "write")

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes values to metrics.jsonl and TensorBoard."""
        if self.folder is None:
            return
        line = dumps({"step": step, "time": time.time(), **values})
        append_text(self.folder / "metrics.jsonl", line + "\n")
        with self.event_errors():
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Writes (height, width, C) uint8 to samples/<name>-<step>.png and TensorBoard."""
        if self.folder is None:
            return
        save_png(self.folder / picture_file(step, name), picture)
        with self.event_errors():
            self.writer.add_image(name, picture, step, dataformats="HWC")

    def data_picture(self, name: str, picture: np.ndarray) -> None:
        """Writes a picture of the data as that of step 0, unless the run has it already."""
        if self.folder is not None and not (self.folder / picture_file(0, name)).exists():
            self.picture(0, name, picture)

    def text(self, step: int, name: str, text: str) -> None:
        """Writes a text to TensorBoard."""
        if self.folder is not None:
            with self.event_errors():
                self.writer.add_text(name, text, step)

    def update_run_json(self, entries: dict[str, Any]) -> None:
        """Adds entries to run.json, or replaces them."""
        if self.folder is None:
            return
        path = self.folder / "run.json"
        old = read_object(path)
        if old is None:
            set_aside(path)
            old = {}
        write_json(path, {**old, **entries})

    def close(self) -> None:
        """Closes TensorBoard's file; an error is only logged, so that it hides no other."""
        if self._writer is None:
            return
        try:
            with self.event_errors():
                self._writer.close()
        except StorageError as error:
            log.warning("%s", error)


def picture_file(step: int, name: str) -> str:
    """Returns the file of a picture in a run folder."""
    return f"samples/{name}-{step:07d}.png"


def silence_event_writer() -> None:
    """Keeps TensorBoard's thread from printing errors, which the next write raises anyway."""
    usual = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        if type(failure.thread).__name__ != "_AsyncWriterThread":
            usual(failure)

    threading.excepthook = hook


def drop_later_lines(path: Path, step: int) -> None:
    """Removes the lines of steps after `step`, which a resumed run repeats."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError:  # a folder, say
        set_aside(path)
        return
    rows = list(read_rows(content))
    torn = bool(rows) and rows[-1] is None and not content.endswith(b"\n")  # by kill -9
    if rows.count(None) > torn:
        set_aside(path, "the run continues with the lines that can be read")
    kept = [row.line + b"\n" for row in rows if row is not None and row.step <= step]
    with atomic_file(path) as file:
        file.write(b"".join(kept))
