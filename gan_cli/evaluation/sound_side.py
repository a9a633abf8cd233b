"""Folders of sounds as a side of a comparison."""

from pathlib import Path
from typing import Literal

from gan_cli.data.files.archive import open_archive
from gan_cli.data.files.image import image_suffixes
from gan_cli.data.files.sound import SUFFIXES
from gan_cli.data.sets.audio import AudioFiles
from gan_cli.data.spec import Field


def holds_sounds(path: Path) -> bool:
    """Returns whether a folder or zip archive has sounds and no images."""
    if not path.is_dir() and path.suffix.lower() != ".zip":
        return False
    names = [name.lower() for name in open_archive(str(path)).names]
    return any(n.endswith(SUFFIXES) for n in names) and not any(
        n.endswith(image_suffixes()) for n in names
    )


def open_sounds(path: Path, like: Field | None, labels: Literal["none", "folders"]) -> AudioFiles:
    """Opens sounds in the form of those of the other side, if that has sounds: `like`."""
    if like is None or like.kind != "audio":
        return AudioFiles(path=str(path), labels=labels)
    channels, length = like.shape
    return AudioFiles(
        path=str(path),
        labels=labels,
        channels=1 if channels == 1 else 2,
        length=length,
        sample_rate=like.sample_rate,
    )
