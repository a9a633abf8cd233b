"""Reads image files while training, when they may have vanished, broken or changed."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import UnidentifiedImageError

from gan_cli.utils.errors import DataError
from gan_cli.utils.text import said


@contextmanager
def naming_file(where: str) -> Iterator[None]:
    """A context in which any error of reading or decoding the file `where` becomes a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # Pillow and zipfile raise many types for damaged files
        raise DataError(f"{where} cannot be read any more ({reason(error)})") from error


def reason(error: Exception) -> str:
    """Says in words why a file cannot be read."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, KeyError):
        return "no longer in the archive"
    if isinstance(error, zipfile.BadZipFile):
        return f"the archive is damaged or was replaced: {said(error)}"
    system = error.strerror if isinstance(error, OSError) else None
    return system or said(error)
