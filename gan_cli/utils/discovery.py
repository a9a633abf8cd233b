"""Imports modules, so that what they define is registered."""

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from gan_cli.utils.errors import ConfigError


def import_submodules(package: str, path: Iterable[str]) -> None:
    """Imports `package`.NAME for each module (not sub-package) found in `path`."""
    for module in iter_modules(path):
        if not module.ispkg:
            import_module(f"{package}.{module.name}")


def is_module_name(name: object) -> bool:
    """Whether `name` is identifiers joined by dots."""
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def import_modules(names: Any) -> None:
    """Modules whose import registers a user's own components; the working folder counts."""
    if not isinstance(names, list | tuple) or not all(map(is_module_name, names)):
        raise ConfigError(
            f"imports: expected a list of modules, got {names!r}; type 'imports=[my_package.nets]'"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in names:
        try:
            import_module(name)
        except ImportError as error:
            where = f"'{name}' from {os.getcwd()}"
            raise ConfigError(f"imports: cannot import {where} ({error})") from None
