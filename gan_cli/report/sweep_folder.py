"""Hydra callback that removes the folders of sweeps whose jobs write elsewhere, or nothing.

gan-sample, gan-fid and gan-export write to the folders of runs, and gan-train check=true writes
nothing, but Hydra makes a folder for each job, and one for the sweep.
"""

import atexit
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_cli.utils.errors import StorageError
from gan_cli.utils.files import atomic_file

RECORD = "multirun.yaml"  # what Hydra writes to the folder of a sweep


class RemoveEmpty(Callback):
    """Removes what Hydra has made, and nothing that was there before or has been written since.

    In gan-train, only for sweeps with check=true.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        if is_empty_sweep(config):
            sweep = Path(config.hydra.sweep.dir).absolute()
            record = sweep / RECORD
            before = record.read_bytes() if record.is_file() else None
            made = [path for path in (sweep, *sweep.parents) if not path.exists()]
            atexit.register(restore, record, before, made)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:  # noqa: ARG002
        if is_empty_sweep(config):
            with suppress(OSError):  # it is not empty, or was there before
                Path(config.hydra.runtime.output_dir).rmdir()


def is_empty_sweep(config: DictConfig) -> bool:
    """Whether this is a sweep whose folders hold nothing."""
    return config.hydra.mode == RunMode.MULTIRUN and bool(config.get("check", True))


def restore(record: Path, before: bytes | None, made: list[Path]) -> None:
    """Puts the record of the sweep back, and removes the folders `made`, if they are empty."""
    with suppress(OSError, StorageError):
        if before is not None:
            with atomic_file(record) as file:
                file.write(before)
        else:
            record.unlink()
        for folder in made:
            folder.rmdir()
