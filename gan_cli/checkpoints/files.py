"""Checkpoints: one file of plain tensors and containers each, written atomically."""

import contextlib
import logging
import os
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from gan_cli.utils.errors import StorageError

State = dict[str, Any]
log = logging.getLogger("gan_cli")


def save(path: Path, state: State) -> None:
    """All or nothing: a crash leaves either the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch wraps a failed write in a RuntimeError
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free / 2**20
        raise StorageError(
            f"cannot write {path}, with {free:.0f} MiB free on its disk ({first_line(error)}); "
            "earlier checkpoints are intact, the same command resumes from them"
        ) from error


def sync_folder(folder: Path) -> None:
    """The rename itself is durable only once the folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load(path: Path, device: torch.device | str = "cpu") -> State:
    """Tensors and containers only: a stranger's checkpoint cannot run code.

    Raises StorageError if the file is missing, damaged (its CRC sums are checked) or holds
    anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise StorageError(f"{path} is damaged (checksum of {damaged} is wrong)")
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except pickle.UnpicklingError:
        raise StorageError(f"{path} holds more than plain tensors; it was not loaded") from None
    except (OSError, RuntimeError, zipfile.BadZipFile, EOFError, ValueError, KeyError) as error:
        raise StorageError(f"{path} is damaged ({first_line(error)})") from error
    if not isinstance(state, dict) or "networks" not in state or "step" not in state:
        raise StorageError(f"{path} is no gan_cli checkpoint")
    return state


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class Checkpoints:
    """The folder of a run: step-0001000.pt and so on, and best.pt.

    Kept are the `keep_last` newest, those at multiples of `keep_every`, and the best.
    """

    def __init__(self, folder: Path, keep_last: int, keep_every: int) -> None:
        self.folder, self.keep_last, self.keep_every = folder, max(keep_last, 1), keep_every

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.pt"

    def steps(self) -> list[int]:
        return sorted(int(path.stem[5:]) for path in self.folder.glob("step-*.pt"))

    def save(self, step: int, state: State) -> Path:
        save(self.path(step), state)
        for old in self.steps()[: -self.keep_last]:
            if not (self.keep_every and old % self.keep_every == 0):
                self.path(old).unlink()
        return self.path(step)

    def save_best(self, state: State) -> None:
        save(self.folder / "best.pt", state)

    def latest(self, device: torch.device | str = "cpu") -> State | None:
        """The newest sound checkpoint; says so when a damaged one had to be passed over.

        Raises StorageError when there are checkpoints, but none is sound.
        """
        for step in reversed(self.steps()):
            try:
                return load(self.path(step), device)
            except StorageError as error:
                log.warning("%s; trying the one before", error)
        if self.steps():
            raise StorageError(
                f"no checkpoint in {self.folder} can be read; start anew with another run=NAME"
            )
        return None
