"""Reading text: a file, or all text files of a folder or a zip archive."""

import zipfile

from gan_cli.data.files.archive import Archive, open_archive
from gan_cli.data.files.image_names import by_suffix
from gan_cli.data.files.unreadable import reason
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path

WHERE = "dataset.path"
SUFFIX = ".txt"  # of the files of a folder or an archive that are read


def read_texts(given: str) -> list[str]:
    """Returns the text of a file, or those of the text files below a folder, by their names.

    Raises ConfigError if there is none, or one cannot be read.
    """
    path = user_path(given)
    if path.is_file() and not zipfile.is_zipfile(path):
        try:
            return [decoded(path.read_bytes(), str(path))]
        except OSError as error:
            raise ConfigError(f"{WHERE}: {path} cannot be read: {error.strerror}") from None
    archive = open_archive(given)
    names = [name for name in archive.names if name.lower().endswith(SUFFIX)]
    if not names:
        held = by_suffix(archive.names) or "no files"
        raise ConfigError(
            f"{WHERE}: no files *{SUFFIX} in {path}, which holds {held}; type the path of a file"
        )
    return [read_member(archive, name) for name in names]


def read_member(archive: Archive, name: str) -> str:
    """Returns the text of a file of an archive; ConfigError if it cannot be read."""
    where = archive.where(name)
    try:
        data = archive.read(name)
    except Exception as error:  # the system and zipfile raise many types
        raise ConfigError(f"{WHERE}: {where} cannot be read: {reason(error)}") from None
    return decoded(data, where)


def decoded(data: bytes, where: str) -> str:
    """Returns UTF-8 as text, whose lines end in "\\n"; ConfigError if it is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{WHERE}: {where} is no text in UTF-8 (byte {error.start:,}); convert it, say with "
            "iconv -f latin1 -t utf-8"
        ) from None
    if "\0" in text:
        raise ConfigError(f"{WHERE}: {where} holds zero bytes, so it is no text; type another file")
    return text.replace("\r\n", "\n").replace("\r", "\n")
