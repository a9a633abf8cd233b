"""Checkpoint files and the folder of them that a run keeps."""

import logging
import os
from pathlib import Path
from typing import Any

import torch

from gan_cli.checkpoints.safetensors_files import SAFETENSORS, read_state
from gan_cli.utils.errors import StorageError
from gan_cli.utils.side_files import set_aside
from gan_cli.utils.tensor_files import read_tensors, write_tensors

State = dict[str, Any]
log = logging.getLogger("gan_cli")


def save(path: Path, state: State) -> None:
    """Writes a checkpoint atomically; StorageError if that fails, with the old file intact."""
    try:
        write_tensors(path, state)
    except StorageError as error:
        raise StorageError(
            f"{error}; earlier checkpoints are intact, and the same command resumes from them"
        ) from error


def load(path: Path, device: torch.device | str = "cpu") -> State:
    """The state in a checkpoint file, as it was written; `Checkpoint.read` checks what it holds.

    Raises StorageError if the file is missing, damaged or no checkpoint.
    """
    if path.suffix == SAFETENSORS:
        return read_state(path)
    try:
        state = read_tensors(path, device)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror or error})") from error
    if not isinstance(state, dict) or "networks" not in state or "step" not in state:
        raise StorageError(f"{path} is no gan_cli checkpoint")
    return state


class Checkpoints:
    """The checkpoint folder of a run: step-0001000.pt and so on, and best.pt.

    Keeps the `keep_last` newest checkpoints, those at multiples of `keep_every`, and the best one.
    """

    def __init__(self, folder: Path, keep_last: int = 1, keep_every: int = 0) -> None:
        self.folder, self.keep_last, self.keep_every = folder, max(keep_last, 1), keep_every

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.pt"

    @property
    def best(self) -> Path:
        return self.folder / "best.pt"

    def steps(self) -> list[int]:
        """Steps with a checkpoint, the newest last; StorageError if the folder cannot be read.

        Files with other names, such as copies that a file manager made, are no checkpoints.
        """
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            if isinstance(error, NotADirectoryError) and not self.folder.exists():
                return []  # a folder above it is a file, which whoever writes will tell
            raise StorageError(
                f"{self.folder} cannot be read ({error.strerror or error}); make it a folder that "
                "you may read, or start anew with another run=NAME"
            ) from error
        numbers = (name.removeprefix("step-").removesuffix(".pt") for name in names)
        found = {int(number) for number in numbers if number.isdecimal()}
        return sorted(step for step in found if self.path(step).name in names)

    def save(self, step: int, state: State) -> Path:
        """Writes the checkpoint of `step` and deletes older ones that are not kept.

        Those of later steps stay: a run only writes behind them if it could not read them.
        """
        save(self.path(step), state)
        older = [s for s in self.steps() if s <= step and not self.path(s).is_dir()]
        for old in older[: -self.keep_last]:
            if not (self.keep_every and old % self.keep_every == 0):
                self.path(old).unlink()
        return self.path(step)

    def save_best(self, state: State) -> None:
        save(self.best, state)

    def latest(self, device: torch.device | str = "cpu") -> State | None:
        """The state in the newest sound checkpoint, None without any; see `newest`."""
        found = self.newest(device)
        return None if found is None else found[1]

    def newest(self, device: torch.device | str = "cpu") -> tuple[Path, State] | None:
        """The newest sound checkpoint; logs a warning for each damaged one that is passed over.

        Raises StorageError if there are checkpoints and none of them is sound.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return self.path(step), load(self.path(step), device)
            except StorageError as error:
                log.warning("%s; trying the one before", error)
        if steps:
            raise StorageError(
                f"no checkpoint in {self.folder} can be read; start anew with another run=NAME"
            )
        return None

    def set_aside_later(self, step: int) -> None:
        """Renames the checkpoints after `step`, which a run that continues there could not read.

        Otherwise, every later start would try them first. Logs one line for each.
        """
        for later in self.steps():
            if later > step:
                set_aside(self.path(later))
