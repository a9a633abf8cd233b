"""Checkpoint files and the folder of them that a run keeps."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch

from gan_cli.utils.errors import StorageError
from gan_cli.utils.tensor_files import first_line, read_tensors, write_tensors

State = dict[str, Any]
log = logging.getLogger("gan_cli")


def save(path: Path, state: State) -> None:
    """Writes a checkpoint atomically; StorageError if that fails, with the old file intact."""
    try:
        write_tensors(path, state)
    except (OSError, RuntimeError) as error:  # torch wraps a failed write in a RuntimeError
        raise StorageError(
            f"cannot write {path}{free_space(path.parent)} ({first_line(error)}); "
            "earlier checkpoints are intact, and the same command resumes from them"
        ) from error


def free_space(folder: Path) -> str:
    """Words on the room that is left on the disk of `folder`; none if there is no such folder."""
    if not folder.is_dir():
        return ""
    return f", with {shutil.disk_usage(folder).free / 2**20:.0f} MiB free on its disk"


def load(path: Path, device: torch.device | str = "cpu") -> State:
    """The state in a checkpoint file, as it was written; `Checkpoint.read` checks what it holds.

    Raises StorageError if the file is missing, damaged or no checkpoint.
    """
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
        """Steps with a checkpoint, the newest last."""
        names = (path.stem.removeprefix("step-") for path in self.folder.glob("step-*.pt"))
        return sorted(int(name) for name in names if name.isdecimal())

    def save(self, step: int, state: State) -> Path:
        """Writes the checkpoint of `step` and deletes those that are not kept."""
        save(self.path(step), state)
        for old in self.steps()[: -self.keep_last]:
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
        for step in reversed(self.steps()):
            try:
                return self.path(step), load(self.path(step), device)
            except StorageError as error:
                log.warning("%s; trying the one before", error)
        if self.steps():
            raise StorageError(
                f"no checkpoint in {self.folder} can be read; start anew with another run=NAME"
            )
        return None
