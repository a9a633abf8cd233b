"""Versions of the packages that affect results, for run.json and metric cards."""

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from gan_cli.utils.paths import PACKAGE

PACKAGES = ("gan-cli", "torch", "torchvision", "hydra-core", "omegaconf", "numpy", "scipy")


def environment() -> dict[str, Any]:
    """Versions, commit, platform and command line, for run.json."""
    return {
        "command": [word.removeprefix("++") for word in sys.argv],
        "versions": versions(),
        "commit": commit(),
        "platform": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect results."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> str | None:
    """The commit of the checkout that contains this package; None for an installed wheel."""
    if not (PACKAGE.parent / ".git").exists():
        return None
    command = ["git", "-C", str(PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
