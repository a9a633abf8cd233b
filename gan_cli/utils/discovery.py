"""Imports modules, so that what they define is registered."""

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from traceback import extract_tb
from typing import Any

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import as_typed


def import_submodules(package: str, path: Iterable[str]) -> None:
    """Imports `package`.NAME for each module (not sub-package) found in `path`."""
    for module in iter_modules(path):
        if not module.ispkg:
            import_module(f"{package}.{module.name}")


def is_module_name(name: object) -> bool:
    """Whether `name` is identifiers joined by dots."""
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def import_modules(names: Any) -> None:
    """Imports the modules in the list `names`, which register a user's own components.

    They are looked for in the working folder, too. Raises ConfigError for a module that is missing
    or whose code fails, with the line.
    """
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    if not listed or not all(map(is_module_name, names)):
        raise ConfigError(
            f"imports: expected a list of modules, got {as_typed(names)}; type "
            "'imports=[my_package.nets]'"
        )
    if names and os.getcwd() not in sys.path:  # which may hold anything
        sys.path.insert(0, os.getcwd())
    for name in names:
        try:
            import_module(name)
        except (Exception, SystemExit) as error:  # the code of a user may raise anything
            raise ConfigError(f"imports: {import_error(name, error)}") from error


def import_error(name: str, error: BaseException) -> str:
    """Says why a module cannot be imported, and where its code failed."""
    reason = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
        return f"cannot import '{name}' from {os.getcwd()} ({reason})"
    if isinstance(error, SyntaxError) and error.filename:
        return f"cannot import '{name}' ({error.filename}, line {error.lineno}: {error.msg})"
    frames = [frame for frame in extract_tb(error.__traceback__) if is_source(frame.filename)]
    where = f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""
    return f"cannot import '{name}' ({where}{type(error).__name__}: {reason})"


def is_source(filename: str) -> bool:
    """Whether a frame of a traceback is neither this module nor Python's import machinery."""
    return filename != __file__ and not filename.startswith("<") and "importlib" not in filename
