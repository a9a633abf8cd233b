"""Reading text files."""

from pathlib import Path

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path

SUFFIX = ".txt"  # of the files of a folder that are read


def text_files(given: str, where: str) -> list[Path]:
    """Returns the file, or the text files of a folder of any depth, in the order of their names."""
    path = user_path(given)
    if path.is_dir():
        files = sorted(file for file in path.rglob(f"*{SUFFIX}") if file.is_file())
        if not files:
            raise ConfigError(f"{where}: {path} has no files *{SUFFIX}; type the path of a file")
        return files
    if not path.is_file():
        raise ConfigError(f"{where}: no file or folder {path}; type that of a text")
    return [path]


def read_text(path: Path, where: str) -> str:
    """Returns the text of a file, in UTF-8; ConfigError if it cannot be read or is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{where}: {path} is no text in UTF-8 (byte {error.start:,}); convert it, say with "
            f"iconv -f latin1 -t utf-8"
        ) from None
    except OSError as error:
        raise ConfigError(f"{where}: {path} cannot be read: {error.strerror}") from None
    if "\0" in text:
        raise ConfigError(f"{where}: {path} holds zero bytes, so it is no text; type another file")
    return text
