"""Stamps of files, which show that a file has changed without reading it."""

import os
from pathlib import Path

Stamp = tuple[int, int, int]
UNKNOWN: Stamp = (-1, -1, -1)


def stamp_of(path: Path | str) -> Stamp:
    """The stamp of a file, or of the target of a link.

    The time of the status changes even if a copy keeps that of the content.
    """
    try:
        status = os.stat(path)
    except OSError:
        return UNKNOWN
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
