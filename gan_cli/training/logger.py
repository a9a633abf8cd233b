"""Writes the logs of a run: metrics.jsonl, pictures and run.json, and what its loggers write."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.training.loggers import Card, Picture, Recording, Writing
from gan_cli.training.loggers.active import ActiveLoggers
from gan_cli.utils.files import append_text, atomic_file, make_folder, write_text
from gan_cli.utils.images import save_png
from gan_cli.utils.side_files import read_object, read_rows, set_aside
from gan_cli.utils.strict_json import dumps, write_json


class Logger:
    """Writes logs into `folder`; if it is None, as on ranks above 0, nothing is written.

    The files of the folder are always written, and an error there ends the run. The loggers that
    the config chooses come second, and may fail.
    """

    def __init__(
        self, folder: Path | None, resumed_at: int = 0, others: ActiveLoggers | None = None
    ) -> None:
        self.folder, self.others = folder, others or ActiveLoggers()
        if folder is not None:
            make_folder(folder)
            drop_later_lines(folder / "metrics.jsonl", resumed_at)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes values to metrics.jsonl."""
        if self.folder is None:
            return
        line = dumps({"step": step, "time": time.time(), **values})
        append_text(self.folder / "metrics.jsonl", line + "\n")
        self.others.send(lambda backend: backend.scalars(step, values))

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Writes (height, width, C) uint8 to samples/<name>-<step>.png."""
        if self.folder is None:
            return
        path = self.folder / picture_file(step, name)
        save_png(path, picture)
        entry = Picture(step, name, path, picture)
        self.others.send(lambda backend: backend.picture(entry))

    def data_picture(self, name: str, picture: np.ndarray) -> None:
        """Writes a picture of the data as that of step 0, unless the run has it already."""
        if self.folder is not None and not (self.folder / picture_file(0, name)).exists():
            self.picture(0, name, picture)

    def recording(self, step: int, name: str, wav: bytes) -> None:
        """Writes a WAV file to samples/<name>-<step>.wav, beside the picture of its sounds."""
        if self.folder is None:
            return
        path = (self.folder / picture_file(step, name)).with_suffix(".wav")
        with atomic_file(path, durable=False) as file:
            file.write(wav)
        entry = Recording(step, name, path)
        self.others.send(lambda backend: backend.recording(entry))

    def writing(self, step: int, name: str, text: str) -> None:
        """Writes samples/<name>-<step>.txt, beside the picture of its texts."""
        if self.folder is None:
            return
        path = write_text((self.folder / picture_file(step, name)).with_suffix(".txt"), text)
        entry = Writing(step, name, path, text)
        self.others.send(lambda backend: backend.writing(entry))

    def text(self, step: int, name: str, text: str) -> None:
        """Writes a text, which run.json has in a form of its own."""
        if self.folder is not None:
            self.others.send(lambda backend: backend.text(step, name, text))

    def card(self, step: int, name: str, card: dict[str, Any]) -> None:
        """Writes a metric card to cards/<name>.json."""
        if self.folder is None:
            return
        path = write_json(self.folder / "cards" / f"{name}.json", card)
        entry = Card(step, name, path, card)
        self.others.send(lambda backend: backend.card(entry))

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

    def close(self, finished: bool = True) -> None:
        """Closes all loggers."""
        self.others.send(lambda backend: backend.close(finished))


def picture_file(step: int, name: str) -> str:
    """The path of a picture in a run folder."""
    return f"samples/{name}-{step:07d}.png"


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
