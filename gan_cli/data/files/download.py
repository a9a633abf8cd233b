"""Opens the data sets of torchvision, and downloads them if they are missing."""

import contextlib
import io
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from gan_cli.config.registry import ConfigError

log = logging.getLogger(__name__)


def fetch(name: str, root: str, **options: Any) -> Any:
    """The data set `name` of torchvision in the folder `root`, downloaded there if it is missing.

    Raises ConfigError if the download fails.
    """
    import torchvision  # lazily, since it takes 2 to 4 s

    dataset_class = getattr(torchvision.datasets, name)
    folder = Path(root).expanduser().resolve()
    with contextlib.suppress(RuntimeError, OSError):  # torchvision's "not found or corrupted"
        return dataset_class(folder, download=False, **options)
    log.info("downloading %s to %s", name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # To a temporary folder: torchvision accepts an incomplete MNIST or CelebA as complete.
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as staged:
            with contextlib.redirect_stdout(io.StringIO()):  # torchvision prints every mirror
                dataset_class(staged, download=True, **options)
            install(Path(staged), folder)
        return dataset_class(folder, download=False, **options)
    except (RuntimeError, OSError, ImportError) as fault:
        reason = " ".join(str(fault).split())
        raise ConfigError(
            f"dataset.root: no {name} in {folder}, and it cannot be downloaded ({reason}); type "
            "dataset.root=DIR if it is elsewhere, or use dataset=mnist_5k (needs no download) or "
            "dataset=folder dataset.path=DIR_OR_ZIP (your own images)"
        ) from fault


def install(staged: Path, target: Path) -> None:
    """Moves a finished download to `target`; existing folders are merged, others are renamed."""
    if staged.is_dir() and target.is_dir():
        for child in staged.iterdir():
            install(child, target / child.name)
    else:
        os.replace(staged, target)
