"""The options that name a checkpoint, which several commands share, and their errors."""

from collections.abc import Iterator
from typing import Any, Protocol

from gan_cli.checkpoints.choice import OUTPUTS
from gan_cli.checkpoints.run_list import missing_run
from gan_cli.config.schema import Device
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import unknown

TRAINING_KEYS = ("compile", "graphs", "resident", "resident_gib", "workers")  # of the device group


class Source(Protocol):
    """The options that select checkpoint and device, shared with gan-fid."""

    @property
    def run(self) -> str | None: ...
    @property
    def checkpoint(self) -> str | None: ...
    @property
    def which(self) -> Any: ...
    @property
    def device(self) -> Device: ...


def source_errors(options: Source, command: str, instead: str = "") -> Iterator[str]:
    """Yields errors in the choice of a checkpoint; `instead` names alternatives."""
    if options.run is None and options.checkpoint is None:
        yield missing_run(OUTPUTS, command, instead)
    if options.run is not None and options.checkpoint is not None:
        yield "run: excludes checkpoint; leave one of them out"
    if options.checkpoint is not None and not user_path(options.checkpoint).is_file():
        yield f"checkpoint: no file {options.checkpoint}; type run=NAME for the newest one of a run"
    if options.which not in ("latest", "best") and type(options.which) is not int:
        yield f"which: {unknown('choice', options.which, ('latest', 'best', 'a step'))}"
    if options.run is None and options.which != "latest":
        yield "which: chooses among the checkpoints of a run; leave it out, or type run=NAME"
    for key in TRAINING_KEYS:
        if getattr(options.device, key) != getattr(Device(), key):
            yield f"device.{key}: is for training; leave it out"
