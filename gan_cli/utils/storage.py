"""Errors of the file system as one line with advice."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_cli.utils.errors import StorageError

SUFFIX = ".gan_cli-tmp"  # of temporary files and folders, whose names start with a dot
ALLOW = "allow it, or work in another folder"
ADVICE = {
    errno.ENOSPC: "free some space, then type the same command again",
    errno.EDQUOT: "free some of your quota, then type the same command again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EACCES: ALLOW,
    errno.EPERM: ALLOW,
    errno.EROFS: ALLOW,
    errno.ENAMETOOLONG: "take a shorter name",
}
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def storage_errors(path: Path, action: str = "write") -> Iterator[None]:
    """A context in which an OSError becomes a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise StorageError(storage_message(error, path, action)) from error


def storage_message(error: OSError, path: Path | str | None, action: str = "use") -> str:
    """What failed, why, and what to do: one line."""
    what = without_temporary(Path(path or error.filename or "a file"))
    blocking = None if path is None else file_above(Path(path))
    if blocking is not None:
        return f"cannot {action} {what}: {blocking} is a file, not a folder; move it away"
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    room = free_space(what) if error.errno in FULL else ""
    advice = ADVICE.get(error.errno or 0)
    return f"cannot {action} {what}{room} ({reason})" + (f"; {advice}" if advice else "")


def without_temporary(path: Path) -> Path:
    """The path that a file will have: outside of the temporary folder in which it is written."""
    return Path(*(part for part in path.parts if not part.endswith(SUFFIX)))


def file_above(path: Path) -> Path | None:
    """The nearest existing parent of `path` if it is not a folder."""
    for folder in path.parents:
        try:
            if folder.exists():
                return None if folder.is_dir() else folder
        except OSError:  # not allowed to look
            return None
    return None


def binary_size(size: int) -> str:
    """A number of bytes as 12 bytes, 3.2 KiB or 1.5 GiB."""
    if size < 1024:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 1024**power:,.1f} {' KMGT'[power]}iB"


def free_space(path: Path) -> str:
    """Words on the room that is left on the disk of `path`; "" if its folder does not exist."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return ""
    return f", with {shutil.disk_usage(folder).free / 2**20:.0f} MiB free on its disk"


def free_disk(folder: Path) -> int | None:
    """Free bytes of the disk on which a folder is, or will be."""
    there = next((p for p in (folder.absolute(), *folder.absolute().parents) if p.is_dir()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None
