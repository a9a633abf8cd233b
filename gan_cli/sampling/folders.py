"""The folder that gan-sample or gan-export writes to."""

from itertools import chain, count
from pathlib import Path

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.files import remove_leftovers
from gan_cli.utils.paths import user_path
from gan_cli.utils.storage import storage_errors


def new_folder(output: str | None, usual: Path) -> Path:
    """Returns `output`, or the first of `usual`, usual-2, usual-3, ... that is free.

    Raises ConfigError if `output` is not free.
    """
    if output is not None:
        return check_free(output)
    numbered = (usual.with_name(f"{usual.name}-{n}") for n in count(2))
    return next(filter(is_free, chain([usual], numbered)))


def check_free(output: str) -> Path:
    """Returns the folder `output`; raises ConfigError if there is anything in it."""
    folder = user_path(output)
    if not is_free(folder):
        raise ConfigError(f"output: {folder} exists and is not empty; type another, or remove it")
    return folder


def is_free(folder: Path) -> bool:
    """Returns whether the folder does not exist or is empty, without leftovers of killed calls."""
    with storage_errors(folder):
        if not folder.exists():
            return True
        if not folder.is_dir():
            return False
        remove_leftovers(folder)
        return not any(folder.iterdir())
