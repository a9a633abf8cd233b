"""What the processes of a run have in common: settings and data at the start, and the end."""

from pathlib import Path
from typing import Protocol

from gan_cli.checkpoints.changes import differences
from gan_cli.checkpoints.contents import plain
from gan_cli.config.schema import Config
from gan_cli.config.start import continuing_command
from gan_cli.data.dataset import Dataset
from gan_cli.runtime.processes import Processes
from gan_cli.runtime.runtime import Runtime
from gan_cli.utils.errors import ConfigError, DataError, SignalError


class Stoppable(Protocol):
    """What of a run its end needs; see `gan_cli.training.run.Run`."""

    step: int
    folder: Path
    runtime: Runtime

    def save(self) -> None: ...


def check_processes(processes: Processes, config: Config, dataset: Dataset) -> None:
    """Raises ConfigError on every process if settings or data of two of them differ."""
    if processes.world == 1:
        return
    settings, contents = zip(*processes.gather((plain(config), dataset.fingerprint())), strict=True)
    for rank in range(1, processes.world):
        changed = differences(settings[0], settings[rank])
        if contents[rank] != contents[0]:
            changed.append("dataset: its content")
        if changed:
            raise ConfigError(
                f"process {rank} has other settings or data than process 0; give all of them the "
                "same command and the same files:",
                *changed,
            )


def stop_if_asked(run: Stoppable, signal_number: int | None, error: Exception | None) -> None:
    """Saves and raises if a process has received a signal, or met an error since the last step.

    Raises SignalError, or the error; a process without the error raises ProcessError.
    """
    processes = run.runtime.processes
    if not processes.any(signal_number is not None or error is not None):
        return
    run.save()
    saved = f"step {run.step} is saved in {run.folder}"
    again = "the same command continues"
    if processes.world == 1:
        again = f"to continue, type {continuing_command(run.folder)}"
    numbers, failed = zip(*processes.gather((signal_number, error is not None)), strict=True)
    if isinstance(error, DataError):
        raise DataError(f"{error}; {saved}, and the same command resumes") from error
    if error is not None:
        raise error
    if any(failed):
        raise processes.peer_error()
    raise SignalError(next(number for number in numbers if number is not None), f"{saved}; {again}")
