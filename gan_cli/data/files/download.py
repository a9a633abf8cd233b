"""Opens the data sets of torchvision, and downloads them if they are missing."""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from gan_cli.config.registry import ConfigError
from gan_cli.data.files.published_files import is_damaged, published_files
from gan_cli.utils.errors import UserError
from gan_cli.utils.files import temporary_folder
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import said

log = logging.getLogger(__name__)
allowed = ContextVar("allowed", default=True)  # may data sets be downloaded?


class NotHereError(UserError):
    """A data set would have to be downloaded, which is not wanted now."""

    status = ConfigError.status


@contextlib.contextmanager
def without_downloads() -> Iterator[None]:
    """A context in which a missing data set raises NotHereError."""
    before = allowed.set(False)
    try:
        yield
    finally:
        allowed.reset(before)


def fetch(name: str, root: str, **options: Any) -> Any:
    """The data set `name` of torchvision in the folder `root`, downloaded there if it is missing.

    Files that are damaged are downloaded again. Raises ConfigError if a download fails, and if
    there are not as many labels as samples.
    """
    import torchvision  # lazily, since it takes 2 to 4 s

    dataset_class = getattr(torchvision.datasets, name)
    folder = user_path(root).resolve()
    try:
        found = dataset_class(folder, download=False, **options)
    except MemoryError:
        raise
    except ImportError as error:
        raise ConfigError(f"dataset: {name} cannot be read ({said(error)})") from error
    except Exception as error:  # torchvision's "not found or corrupted", or that of a damaged file
        fault = file_fault(dataset_class, folder, options.get("split"), said(error))
        found = downloaded(dataset_class, folder, fault, options)
    check_labels(found, name, folder)
    return found


def file_fault(dataset_class: Any, folder: Path, split: Any, why: str) -> str | None:
    """What is wrong with the files of a data set in `folder`; None if they are not there."""
    files = list(published_files(dataset_class, folder, split))
    damaged = [path for path, md5 in files if path.exists() and is_damaged(path, md5)]
    if damaged:
        more = f" and {len(damaged) - 1} more are" if len(damaged) > 1 else " is"
        return f"{damaged[0]}{more} damaged"
    if files and all(path.exists() for path, _ in files):
        return f"the files in {folder} cannot be read ({why})"
    return None


def downloaded(dataset_class: Any, folder: Path, fault: str | None, options: dict[str, Any]) -> Any:
    """Downloads a data set; raises ConfigError, which tells damaged files from missing ones."""
    name = dataset_class.__name__
    if not allowed.get():
        raise NotHereError(f"dataset.root: {fault or f'no {name} in {folder}'}")
    log.info("downloading %s to %s%s", name, folder, f", since {fault}" if fault else "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # To a temporary folder: torchvision accepts an incomplete MNIST or CelebA as complete.
        with temporary_folder(folder) as staged:
            with contextlib.redirect_stdout(io.StringIO()):  # torchvision prints every mirror
                dataset_class(staged, download=True, **options)
            install(staged, folder)
        return dataset_class(folder, download=False, **options)
    except Exception as error:  # of the network, the disk, a package, or the format of a file
        what = f"{fault}; {name}" if fault else f"no {name} in {folder}, and it"
        elsewhere = "of a sound copy" if fault else "if it is elsewhere"
        raise ConfigError(
            f"dataset.root: {what} cannot be downloaded ({said(error)}); type dataset.root=DIR "
            f"{elsewhere}, or use dataset=mnist_5k (needs no download) or dataset=folder "
            "dataset.path=DIR_OR_ZIP (your own images)"
        ) from error


def check_labels(found: Any, name: str, folder: Path) -> None:
    """Raises ConfigError if images and labels come from files that do not belong together."""
    images, classes = getattr(found, "data", None), getattr(found, "classes", ())
    labels = getattr(found, "targets", getattr(found, "labels", None))
    if images is None or labels is None:
        return
    if len(images) != len(labels):
        fault = f"{len(images):,} images and {len(labels):,} labels"
    elif classes and len(labels) and max(labels) >= len(classes):
        fault = f"labels up to {int(max(labels))} for {len(classes)} classes"
    else:
        return
    raise ConfigError(
        f"dataset.root: {name} in {folder} has {fault}, so a file of another part or data set is "
        "among its files; remove them and type the command again to download them, or type "
        "dataset.root=DIR of a sound copy"
    )


def install(staged: Path, target: Path) -> None:
    """Moves a finished download to `target`; existing folders are merged, others are renamed."""
    if staged.is_dir() and target.is_dir():
        for child in staged.iterdir():
            install(child, target / child.name)
    else:
        os.replace(staged, target)
