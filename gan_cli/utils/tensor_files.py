"""Files of tensors and plain containers: written atomically, read with their checksums checked."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from gan_cli.utils.errors import StorageError
from gan_cli.utils.files import atomic_file
from gan_cli.utils.storage import free_space
from gan_cli.utils.text import LONGEST, shown

# pickle documents that unpickling may raise more than UnpicklingError on a damaged file.
DAMAGE = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError),
    *(LookupError, AttributeError, TypeError, ImportError),
)


def write_tensors(path: Path, content: Any, durable: bool = True) -> None:
    """Writes all of `content` or nothing: a crash leaves the old file or the new one.

    If it is not `durable`, a crash of the system may leave a damaged file. Raises StorageError.
    """
    with atomic_file(path, durable) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # torch wraps a failed write in one
            raise StorageError(
                f"cannot write {path}{free_space(path)} ({first_line(error)})"
            ) from error


def read_tensors(path: Path, device: torch.device | str = "cpu") -> Any:
    """The content of a file that `write_tensors` wrote; code in the file is never run.

    Raises StorageError if the file is damaged or holds more than tensors and containers, OSError if
    it cannot be opened.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load itself does not check the CRC sums
        if damaged is not None:
            raise StorageError(f"{path} is damaged (checksum of {damaged} is wrong)")
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError:
        raise StorageError(f"{path} holds more than plain tensors; it was not loaded") from None
    except DAMAGE as error:
        raise StorageError(f"{path} is damaged ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shown(lines[0], LONGEST)
