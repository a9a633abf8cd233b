"""Writes the logs of a run: TensorBoard events, metrics.jsonl, pictures and run.json."""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_cli.utils.images import save_png

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Logger:
    """Writes logs into `folder`; if it is None, as on ranks above 0, nothing is written."""

    def __init__(self, folder: Path | None, resumed_at: int = 0) -> None:
        self.folder, self.resumed_at = folder, resumed_at
        self._writer: SummaryWriter | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            drop_later_lines(folder / "metrics.jsonl", resumed_at)

    @property
    def writer(self) -> "SummaryWriter":
        if self._writer is None:  # lazily, since the import alone takes 2.7 s
            from torch.utils.tensorboard import SummaryWriter

            folder = str(self.folder)
            self._writer = SummaryWriter(folder, purge_step=self.resumed_at + 1)
        return self._writer

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Writes values to metrics.jsonl and TensorBoard."""
        if self.folder is None:
            return
        with open(self.folder / "metrics.jsonl", "a") as file:
            file.write(json.dumps({"step": step, "time": time.time(), **values}) + "\n")
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Writes (height, width, C) uint8 to samples/<name>-<step>.png and TensorBoard."""
        if self.folder is None:
            return
        save_png(self.folder / "samples" / f"{name}-{step:07d}.png", picture)
        self.writer.add_image(name, picture, step, dataformats="HWC")

    def text(self, step: int, name: str, text: str) -> None:
        """Writes a text to TensorBoard."""
        if self.folder is not None:
            self.writer.add_text(name, text, step)

    def update_run_json(self, entries: dict[str, Any]) -> None:
        """Adds entries to run.json, or replaces them."""
        if self.folder is None:
            return
        path = self.folder / "run.json"
        old = json.loads(path.read_text()) if path.exists() else {}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({**old, **entries}, indent=2, default=str) + "\n")
        temporary.replace(path)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def drop_later_lines(path: Path, step: int) -> None:
    """Removes the lines of steps after `step`, which a resumed run repeats."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError):  # the incomplete last line of a killed run
            continue
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept))
    os.replace(temporary, path)
