"""The files of a zip archive."""

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gan_cli.config.registry import ConfigError
from gan_cli.data.files.entry_names import hidden, plain_name
from gan_cli.data.files.stamps import Stamp, stamp_of
from gan_cli.data.files.zip_members import read_member, unreadable


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
