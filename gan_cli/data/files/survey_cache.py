"""Surveys of earlier starts in the cache folder: files that have not changed are not read again."""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import PIL
import torch
from torch import Tensor

from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import Shape, readable_formats
from gan_cli.utils import cache
from gan_cli.utils.errors import StorageError
from gan_cli.utils.tensor_files import read_tensors, write_tensors

VERSION = 1  # to be raised when read_image, fit or MIN_SIZE change
MOST_BYTES = 10 * 2**30  # of all surveys; those that were not used for the longest time go first
CHANGED = -1  # row of a file that has to be read


@dataclass
class Surveyed:
    """What is known of files, by rows."""

    names: list[str] = field(default_factory=list)
    stamps: Tensor = field(default_factory=lambda: torch.zeros(0, 3, dtype=torch.int64))
    # (N, 3): see Archive.stamp; negative where a file has to be read again
    sizes: Tensor = field(default_factory=lambda: torch.zeros(0, 2, dtype=torch.int64))
    # (N, 2): height, width of the files; 0 where broken
    checksums: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))  # (N,)
    broken: dict[str, str] = field(default_factory=dict)
    pixels: Tensor | None = None  # uint8 (N, C, H, W)

    def rows(self, names: list[str], stamps: Tensor) -> Tensor:
        """The row of each file (M,), CHANGED for those that are new or have changed."""
        if names == self.names:
            found = torch.arange(len(names))
        else:
            index = {name: row for row, name in enumerate(self.names)}
            found = torch.tensor([index.get(name, CHANGED) for name in names])
        known = (found != CHANGED) & (stamps >= 0).all(1)
        known &= (stamps == self.stamps[found]).all(1) if len(self.names) else False
        return torch.where(known, found, CHANGED)


def stamps_of(archive: Archive, names: list[str]) -> Tensor:
    """What shows that a file has changed (N, 3), negative if it cannot be told."""
    return torch.tensor([archive.stamp(name) for name in names], dtype=torch.int64)


def decoding(shape: Shape) -> dict[str, Any]:
    """What decoded images are a function of, besides their files."""
    return {
        "shape": asdict(shape),
        "version": VERSION,
        "pillow": PIL.__version__,
        "formats": readable_formats(),
    }


def place(archive: Archive, shape: Shape) -> tuple[Path, str]:
    """The file of a survey, and the key that it holds. Raises RuntimeError without a home."""
    key = {"source": archive.source, **decoding(shape)}
    text = json.dumps(key, sort_keys=True)
    name = hashlib.blake2b(text.encode(), digest_size=16).hexdigest() + ".pt"
    return cache.folder() / "survey" / name, text


def read(archive: Archive, shape: Shape) -> Surveyed:
    """The survey of an earlier start; one of no files if there is none or it is damaged."""
    try:
        path, key = place(archive, shape)
        entry = read_tensors(path)
        os.utime(path)  # it is in use
    except FileNotFoundError:
        return Surveyed()
    except StorageError:
        entry = None
    except (OSError, RuntimeError) as error:
        cache.warn_once("read", error)
        return Surveyed()
    found = parsed(entry, key)
    if found is None:
        cache.log.warning("%s is damaged; reading all images", path)
    return found or Surveyed()


def parsed(entry: Any, key: str) -> Surveyed | None:
    """The content of a file, None if it is not what `write` writes."""
    if not isinstance(entry, dict) or entry.pop("key", None) != key:
        return None
    try:
        found = Surveyed(**{**entry, "names": entry["names"].split("\0")})
        count = len(found.names)
        tables = (found.stamps, found.sizes, found.checksums, found.pixels)
        sound = all(table is None or len(table) == count for table in tables)
    except (TypeError, KeyError, AttributeError):
        return None
    return found if sound else None


def write(archive: Archive, shape: Shape, known: Surveyed) -> None:
    """Keeps a survey for the next start; if that cannot be done, a warning is logged once."""
    try:
        path, key = place(archive, shape)
        entry = {**vars(known), "names": "\0".join(known.names), "key": key}
        write_tensors(path, entry, durable=False)  # read_tensors notices a torn file
        remove_oldest(path)
    except (OSError, RuntimeError, StorageError) as error:
        cache.warn_once("written", error)


def remove_oldest(latest: Path) -> None:
    """Removes surveys, except the latest, until they take MOST_BYTES or less."""
    files = sorted(latest.parent.glob("*.pt"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in files:
        total += path.stat().st_size
        if total > MOST_BYTES and path != latest:
            with suppress(OSError):
                path.unlink()
