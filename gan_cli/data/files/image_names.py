"""Which files of an archive are images, and a report of those that are not."""

import logging
import os
from collections import Counter
from collections.abc import Iterable

from gan_cli.config.quoting import typed_word
from gan_cli.config.registry import ConfigError
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import image_suffixes

log = logging.getLogger(__name__)

QUIET = (".json", ".txt", ".csv", ".md", ".db", ".ini")  # lists and notes beside images


def image_names(archive: Archive, path: str, more: tuple[str, ...] = ()) -> list[str]:
    """The files that have the suffix of an image; logs how many others there are, by suffix.

    `more` are suffixes that are taken, too. Raises ConfigError if there is none.
    """
    suffixes = (*image_suffixes(), *more)
    names = [name for name in archive.names if name.lower().endswith(suffixes)]
    others = [name for name in archive.names if not name.lower().endswith(suffixes)]
    if not names:
        raise ConfigError(no_images(others, os.path.abspath(path)))
    left_out = [name for name in others if not name.lower().endswith(QUIET)]
    if left_out:
        log.warning("left out of %s: %s", path, by_suffix(left_out))
    return names


def no_images(others: list[str], path: str) -> str:
    """The error for a folder or a zip archive without images."""
    packed = [name for name in others if name.lower().endswith(".zip")]
    if packed:
        hint = f"type {typed_word('dataset.path', os.path.join(path, packed[0]))}, or unpack it"
    else:
        hint = f"readable are {', '.join(image_suffixes())}"
    held = by_suffix(others) or "no files"
    return f"dataset.path: no images in {path}, which holds {held}; {hint}"


def by_suffix(names: Iterable[str]) -> str:
    """Counts such as "7 .svg, 2 no suffix", the most frequent first."""
    counts = Counter(os.path.splitext(name)[1].lower() or "no suffix" for name in names)
    return ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common(5))


def listing(names: list[str], most: int = 3, noun: str = "image") -> str:
    """The number of files, which are called `noun`, and the first `most` of their names."""
    shown = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return f"{len(names)} {noun}{'s' if len(names) > 1 else ''} ({shown})"
