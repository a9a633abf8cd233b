"""Files by name, in a folder or a zip archive."""

import logging
import os
import posixpath
import zipfile
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Protocol

from gan_cli.config.registry import ConfigError
from gan_cli.data.files.stamps import Stamp, stamp_of
from gan_cli.data.files.zip_members import DAMAGE, check_size, read_member, unreadable
from gan_cli.utils.paths import user_path

log = logging.getLogger(__name__)

# Folders of thumbnails, deleted files and the like, which systems add; in lower case.
SYSTEM_FOLDERS = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
)


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


class ZipArchive:
    """The files of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.path, self.own_stamp = path, stamp_of(path)
        self.entries = by_plain_name(
            (info.filename for info in self.zip().infolist() if not info.is_dir()), path
        )
        self.names = sorted(self.entries)
        if fault := unreadable(map(self.zip().getinfo, self.entries.values())):
            raise ConfigError(
                f"dataset.path: {path}: {fault}; unpack it and type dataset.path=FOLDER"
            )

    @property
    def source(self) -> str:
        return str(self.path)

    def stamp(self, name: str) -> Stamp:  # noqa: ARG002
        return self.own_stamp

    def zip(self) -> zipfile.ZipFile:
        """The handle of this process; forked processes would share its file position."""
        if getattr(self, "owner", None) != os.getpid():
            self.handle, self.owner = zipfile.ZipFile(self.path), os.getpid()
        return self.handle

    def read(self, name: str) -> bytes:
        return read_member(self.zip(), self.entries[name])

    def where(self, name: str) -> str:
        return f"{self.path}: {name}"

    def __getstate__(self) -> dict[str, Any]:
        keys = ("path", "own_stamp", "names", "entries")
        return {key: getattr(self, key) for key in keys}


def by_plain_name(names: Iterable[str], path: Path) -> dict[str, str]:
    """The entries of an archive that are not hidden, by normalized name.

    Raises ConfigError if two of them have the same one.
    """
    found: dict[str, str] = {}
    for name in names:
        plain = plain_name(name)
        if not plain or name.endswith("\\") or any(map(hidden, plain.split("/"))):
            continue
        if plain in found:
            raise ConfigError(
                f"dataset.path: {path} holds {plain} twice"
                + ("" if name == found[plain] else f", as {found[plain]} and {name}")
                + "; pack it again with one of them, or unpack it and type dataset.path=FOLDER"
            )
        found[plain] = name
    return found


def plain_name(name: str) -> str:
    """A name without "./", "//" and "..", with forward slashes.

    Some programs write backslashes into archives and lists.
    """
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is no data."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


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
