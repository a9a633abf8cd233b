"""Hydra callback that reports on a sweep. It is imported at every start, so imports are lazy."""

import atexit
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

log = logging.getLogger("gan_cli")
FIRST_JOBS = 10  # after each of which the report of a sweep is written
REPORTED_EVERY = 60  # seconds, from then on


class SweepReport(Callback):
    """Writes job.json to the folder of each job, and index.html and sweep.csv to that of the sweep.

    on_multirun_end is not used, since Hydra does not call it if a job failed.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        if "sqlite" in str(config.hydra.sweeper.get("storage")):  # which makes no folders itself
            Path(config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        if is_reported(config):
            mode = str(config.get("log"))
            keep_launcher_off_stdout(config, mode)
            atexit.register(finish, Path(config.hydra.sweep.dir).absolute(), mode)

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        if is_reported(config):
            words = OmegaConf.to_container(config.hydra.overrides.task)
            constant = list(config.hydra.job.config.override_dirname.exclude_keys)
            facts = {"job": config.hydra.job.num, "overrides": words, "constant": constant}
            update_job(job_folder(config), {**facts, "error": None})

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        if not is_reported(config):
            return
        folder = job_folder(config)
        if job_return.status == JobStatus.FAILED:
            update_job(folder, {"error": error_text(job_return._return_value)})
        sweep = Path(config.hydra.sweep.dir).absolute()
        if is_outdated(sweep / "index.html", int(config.hydra.job.num)):
            refresh(sweep)


def is_outdated(report: Path, job: int) -> bool:
    """Whether the report is written after this job, and not only after a later one or the last.

    A report costs more the more jobs there are.
    """
    with suppress(OSError):
        return job < FIRST_JOBS or not 0 <= time.time() - report.stat().st_mtime < REPORTED_EVERY
    return True


def keep_launcher_off_stdout(config: DictConfig, mode: str) -> None:
    """Sends Hydra's lines on the jobs to stderr, unless `mode` is text; quiet leaves them out."""
    logging_config = config.hydra.hydra_logging or {}
    console = logging_config.get("handlers", {}).get("console")
    if mode == "text" or console is None:
        return
    with read_write(console), open_dict(console):
        console.stream = "ext://sys.stderr"
        console.level = "WARNING" if mode == "quiet" else "INFO"


def is_reported(config: DictConfig) -> bool:
    """Whether this is the first process of a sweep's job that trains."""
    sweeps = config.hydra.mode == RunMode.MULTIRUN and not config.get("check")
    return sweeps and int(os.environ.get("RANK", 0)) == 0


def job_folder(config: DictConfig) -> Path:
    return Path(config.hydra.runtime.output_dir)


def error_text(error: BaseException) -> str:
    """The message of a user's error; that of any other error is preceded by its type."""
    from gan_cli.config.command_line import JobError

    return str(error) if isinstance(error, JobError) else f"{type(error).__name__}: {error}"


def update_job(folder: Path, facts: dict[str, Any]) -> None:
    """Adds `facts` to job.json in `folder`."""
    from gan_cli.utils.side_files import read_object, set_aside
    from gan_cli.utils.strict_json import write_json

    path = folder / "job.json"
    old = read_object(path)
    if old is None:
        set_aside(path)
        old = {}
    write_json(path, {**old, **facts})


def refresh(sweep: Path) -> Path | None:
    """Writes the report of the sweep again; returns its path, None if it cannot be written."""
    from gan_cli.report.sweep_report import write_sweep_report
    from gan_cli.utils.errors import StorageError

    try:
        return write_sweep_report(sweep)
    except StorageError as error:
        log.warning("%s: no report of the sweep: %s", sweep, error)
        return None


def finish(sweep: Path, mode: str) -> None:
    """Writes the final report, also after a failed job or Ctrl-C, and prints its path."""
    if any(sweep.rglob("job.json")) and (report := refresh(sweep)):
        from gan_cli.utils.console import announce

        announce(f"the sweep's results: {report}", mode, "sweep", report=str(report))
