"""torchvision's data sets: found where the user keeps them, or downloaded whole."""

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
    """torchvision's data set `name` under `root`, downloaded there unless it is there already."""
    import torchvision  # 2 to 4 s, so only when one of its sets is asked for

    published = getattr(torchvision.datasets, name)
    folder = Path(root).expanduser().resolve()
    with contextlib.suppress(RuntimeError, OSError):  # torchvision's "not found or corrupted"
        return published(folder, download=False, **options)
    log.info("downloading %s to %s", name, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Into a folder of its own: torchvision takes half an MNIST or CelebA for a whole one.
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as staged:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints every mirror it tries
                published(staged, download=True, **options)
            install(Path(staged), folder)
        return published(folder, download=False, **options)
    except (RuntimeError, OSError, ImportError) as fault:
        reason = " ".join(str(fault).split())
        raise ConfigError(
            f"dataset.root: no {name} in {folder}, and it cannot be downloaded ({reason}); type "
            "dataset.root=DIR if it is elsewhere, or use dataset=mnist_5k (needs no download) or "
            "dataset=folder dataset.path=DIR_OR_ZIP (your own images)"
        ) from fault


def install(staged: Path, target: Path) -> None:
    """Move a finished download into place; folders that exist are filled up, whole ones renamed."""
    if staged.is_dir() and target.is_dir():
        for child in staged.iterdir():
            install(child, target / child.name)
    else:
        os.replace(staged, target)
