"""Paths that users type, and the path of the config folder.

The config folder is inside an installed wheel, or beside the package in a checkout.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONFIGS = next(
    folder for folder in (PACKAGE / "configs", PACKAGE.parent / "configs") if folder.is_dir()
)


def user_path(text: str | os.PathLike[str]) -> Path:
    """Returns the path that a user typed, with ~ as the home folder.

    Unlike Path.expanduser, it keeps ~NAME if there is no such user.
    """
    return Path(os.path.expanduser(text))
