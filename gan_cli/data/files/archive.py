"""Files by name, in a folder or a zip archive."""

import logging
import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Protocol

from gan_cli.config.registry import ConfigError
from gan_cli.data.files.entry_names import hidden
from gan_cli.data.files.stamps import Stamp, stamp_of
from gan_cli.data.files.zip_archive import ZipArchive
from gan_cli.data.files.zip_members import DAMAGE, check_size
from gan_cli.utils.paths import user_path

log = logging.getLogger(__name__)


class Archive(Protocol):
    """Files of a folder or a zip archive; can be pickled for worker processes.

    Hidden files are excluded, and so are the SYSTEM_FOLDERS. What macOS adds to archives, such as
    ._photo.jpg, has the suffix of an image, but is none.
    """

    names: list[str]  # relative and normalized, with forward slashes, sorted

    @property
    def source(self) -> str:
        """The absolute path of the folder or archive."""
        ...

    def stamp(self, name: str) -> Stamp:
        """What changes with a file: its size, and the times of content and status in ns.

        Negative if it cannot be told.
        """
        ...

    def read(self, name: str) -> bytes:
        """The content of a file."""
        ...

    def where(self, name: str) -> str:
        """The place of a file, for messages."""
        ...


class FolderArchive:
    """The files of a folder and its sub-folders.

    Symbolic links are followed, each folder once: a link to a parent adds nothing. A link to a file
    that is missing is listed, and cannot be read. Folders of runs, which hold pictures of their
    own, are excluded. Raises ConfigError for unreadable sub-folders.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names = sorted(files_below(root, root, set()))

    @property
    def source(self) -> str:
        return str(self.root)

    def stamp(self, name: str) -> Stamp:
        return stamp_of(f"{self.root}/{name}")

    def read(self, name: str) -> bytes:
        path = self.root / name
        if path.is_symlink() and not path.exists():
            raise FileNotFoundError(f"a link to {os.readlink(path)}, which does not exist")
        check_size(path.stat().st_size)
        return path.read_bytes()

    def where(self, name: str) -> str:
        return str(self.root / name)


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
        if hidden(entry.name):
            continue
        found = type_of(entry)
        if found == "folder":
            yield from files_below(Path(entry.path), root, visited)
        elif found == "file":
            yield entry.path.removeprefix(f"{root}/").removeprefix("/")
        else:
            log.warning("left out %s: a pipe, a socket or a device, not a file", entry.path)


def type_of(entry: os.DirEntry[str]) -> Literal["folder", "file", "special"]:
    """What an entry of a folder, or the target of a link, is; broken links count as files."""
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() or not os.path.exists(entry) else "special"
    except OSError:  # a link to itself
        return "file"


def open_archive(given: str) -> Archive:
    """The folder or zip archive that `dataset.path` names."""
    try:
        path = user_path(given).resolve()
        if not path.exists():
            raise ConfigError(f"dataset.path: {path} does not exist; {similar(path)}")
    except OSError as error:  # of a name that is too long, or of a folder above that is closed
        raise ConfigError(f"dataset.path: {given} cannot be read ({error.strerror})") from None
    if path.is_dir():
        return FolderArchive(path)
    if not path.is_file():
        raise ConfigError(
            f"dataset.path: {path} is a pipe, a socket or a device; type a folder or a zip archive"
        )
    try:
        return ZipArchive(path)
    except ConfigError:
        raise
    except DAMAGE as fault:
        raise ConfigError(
            f"dataset.path: {path} is neither a folder nor a valid zip archive ({fault}); "
            "unpack it and type dataset.path=FOLDER"
        ) from fault


def similar(path: Path) -> str:
    """Advice for a path that does not exist."""
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, beside, n=1)
    return (
        f"did you mean '{close[0]}'?" if close else "if it has moved, type dataset.path=NEW_PLACE"
    )
