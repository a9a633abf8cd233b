"""The one place that writes files: completely or not at all, with errors in one line.

A file is written under a temporary name in the folder of its target, which it then replaces. The
process that writes it holds a lock on it. A killed process leaves it without a lock, and the next
process that writes to the folder removes it. A folder of files is made in the same way.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from gan_cli.utils.locks import lock
from gan_cli.utils.storage import SUFFIX, storage_errors

MOVED = ".gan_cli-moved"  # in a temporary folder: the names of the files that are being moved
cleaned: set[Path] = set()  # folders in which this process has looked for leftovers


@contextmanager
def atomic_file(path: Path, durable: bool = True) -> Iterator[BinaryIO]:
    """A file opened for writing that replaces `path` at the end of the context.

    After an error, the old file is unchanged. A `durable` file survives a power failure; others
    are faster to write. Raises StorageError.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent not in cleaned:
            remove_leftovers(path.parent)
            cleaned.add(path.parent)
        temporary, handle = temporary_file(path)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(handle)
                temporary.replace(path)
            if durable:
                sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_text(path: Path, text: str, durable: bool = True) -> Path:
    """Writes a UTF-8 file atomically, with line breaks as they are in `text`; returns its path."""
    with atomic_file(path, durable) as file:
        file.write(text.encode())
    return path


def append_text(path: Path, text: str) -> None:
    """Appends to a file; raises StorageError."""
    with storage_errors(path), open(path, "ab") as file:
        file.write(text.encode())


def replace_tail(path: Path, start: int | None, content: bytes) -> int:
    """Replaces a file's bytes from `start` on, its end if None; returns where they begin.

    Not atomic, but cheap however long the file is. Raises StorageError.
    """
    with storage_errors(path), open(path, "r+b") as file:
        begin = file.seek(0, os.SEEK_END) if start is None else file.seek(start)
        file.truncate()
        file.write(content)
    return begin


def make_folder(path: Path) -> Path:
    """Creates a folder if it is missing, and returns it; raises StorageError."""
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def check_writable(folder: Path) -> None:
    """Raises StorageError if no file can be written to `folder`, which is created if missing."""
    make_folder(folder)
    with storage_errors(folder):
        temporary, handle = temporary_file(folder / "probe")
        try:
            os.write(handle, bytes(1))
        finally:
            os.close(handle)
            temporary.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder in `path`, whose files are moved to `path` at the end of the context.

    After an error, and after the end of a killed process, `path` has none of them. Existing files
    are never replaced. Raises StorageError.
    """
    with storage_errors(path):
        new = [folder for folder in (path, *path.parents) if not folder.exists()]
        try:
            with temporary_folder(path) as temporary:
                yield temporary
                move_files(temporary, path)
        except BaseException:
            for folder in new:
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()
            raise


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder in `parent`, removed at the end of the context, or later if the process is killed.

    Raises OSError.
    """
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent)
    temporary = parent / f".{uuid4().hex[:8]}{SUFFIX}"
    temporary.mkdir()
    handle = os.open(temporary, os.O_RDONLY)
    lock(handle)
    try:
        yield temporary
    finally:
        remove(temporary)
        os.close(handle)


@contextmanager
def sized_file(folder: Path, size: int) -> Iterator[tuple[Path, Callable[[Path], object]]]:
    """A temporary file of `size` bytes in `folder`, and the function that moves it to its place.

    The bytes are allocated, so that a program that maps the file is not ended by a full disk. It
    is removed at the end of the context unless it was moved. Raises StorageError.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        temporary, handle = temporary_file(folder / "file")
        try:
            if hasattr(os, "posix_fallocate") and size:
                os.posix_fallocate(handle, 0, size)
            os.truncate(handle, size)

            def settle(path: Path) -> None:
                os.fsync(handle)
                temporary.replace(path)

            yield temporary, settle
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            os.close(handle)


def move_files(source: Path, target: Path) -> None:
    """Moves all files of `source` to `target`, and removes `source`."""
    names = sorted(os.listdir(source))
    (source / MOVED).write_text("\0".join(names))  # see `remove`
    for name in names:
        if (target / name).exists():
            raise FileExistsError(17, "another program has written it", str(target / name))
        (source / name).rename(target / name)
    shutil.rmtree(source)


def remove(temporary: Path) -> None:
    """Removes a temporary file or folder, and the files that were already moved from the latter."""
    with contextlib.suppress(OSError):
        if not temporary.is_dir():
            temporary.unlink(missing_ok=True)
            return
        record = temporary / MOVED
        names = record.read_text().split("\0") if record.exists() else []
        for name in names:
            if name and not (temporary / name).exists():
                (temporary.parent / name).unlink(missing_ok=True)
        shutil.rmtree(temporary)


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files and folders of processes that no longer run."""
    for path in folder.glob(f".*{SUFFIX}"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
            try:
                if lock(handle):
                    remove(path)
            finally:
                os.close(handle)


def temporary_file(path: Path) -> tuple[Path, int]:
    """A new locked file beside `path`, and its descriptor."""
    while True:
        temporary = path.with_name(f".{uuid4().hex[:8]}{SUFFIX}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        lock(handle, wait=True)
        if os.fstat(handle).st_nlink:  # else another process took it for a leftover
            return temporary, handle
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
