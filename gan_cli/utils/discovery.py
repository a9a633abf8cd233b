"""Imports every module of a package, so that a new file registers itself."""

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules


def import_submodules(package: str, path: Iterable[str]) -> None:
    """Imports `package`.NAME for each module (not sub-package) found in `path`."""
    for module in iter_modules(path):
        if not module.ispkg:
            import_module(f"{package}.{module.name}")
