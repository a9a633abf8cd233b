"""Files by name, in a folder or a zip archive."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from gan_cli.config.registry import ConfigError, unknown


class Archive(Protocol):
    """Files of a folder or a zip archive; can be pickled for worker processes.

    Hidden files are excluded. So are __MACOSX/ and ._photo.jpg, which macOS adds to archives; the
    latter has the suffix of an image, but is none.
    """

    names: list[str]  # relative, with forward slashes, sorted

    def read(self, name: str) -> bytes:
        """The content of a file."""
        ...


class FolderArchive:
    """The files of a folder and its sub-folders.

    Symbolic links are followed, each folder once: a link to a parent adds nothing. Folders of runs,
    which hold pictures of their own, are excluded. Raises ConfigError for unreadable sub-folders.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = visible(files_below(root, root, set()))

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


def files_below(folder: Path, root: Path, visited: set[tuple[int, int]]) -> Iterator[str]:
    """Paths of all regular files below `folder`, relative to `root`."""
    try:
        status = folder.stat()
        entries = list(os.scandir(folder))
    except OSError as error:
        raise ConfigError(
            f"dataset.path: {folder} cannot be read ({error.strerror}); allow it, or move it away"
        ) from None
    identity = (status.st_dev, status.st_ino)
    if identity in visited or any(entry.name == "run.json" for entry in entries):
        return
    visited.add(identity)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from files_below(Path(entry.path), root, visited)
        elif entry.is_file():  # no pipe, no broken link
            yield Path(entry.path).relative_to(root).as_posix()


class ZipArchive:
    """The files of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = visible(info.filename for info in self.zip().infolist() if not info.is_dir())

    def zip(self) -> zipfile.ZipFile:
        """The handle of this process; forked processes would share its file position."""
        if getattr(self, "owner", None) != os.getpid():
            self.handle, self.owner = zipfile.ZipFile(self.path), os.getpid()
        return self.handle

    def read(self, name: str) -> bytes:
        return self.zip().read(name)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "names": self.names}


def visible(names: Any) -> list[str]:
    """The names that are not hidden, sorted."""
    return sorted(name for name in set(names) if "/." not in f"/{name}" and "__MACOSX/" not in name)


def open_archive(given: str) -> Archive:
    """The folder or zip archive that `dataset.path` names."""
    path = Path(given).expanduser().resolve()
    if path.is_dir():
        return FolderArchive(path)
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError(
            f"dataset.path: {path} does not exist; {unknown('name', path.name, beside)}"
        )
    try:
        return ZipArchive(path)
    except (zipfile.BadZipFile, OSError) as fault:
        raise ConfigError(
            f"dataset.path: {path} is neither a folder nor a valid zip archive ({fault}); "
            "unpack it and type dataset.path=FOLDER"
        ) from fault
