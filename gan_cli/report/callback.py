"""What Hydra calls around the jobs of a sweep; made at each start, so it imports nothing slow."""

import atexit
import json
import os
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf


class SweepReport(Callback):
    """Keeps job.json in each job's folder, index.html and sweep.csv in the sweep's.

    on_multirun_end is of no use: Hydra leaves it out when one of the jobs failed.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        if writes(config):
            atexit.register(conclude, Path(config.hydra.sweep.dir).absolute())

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        if writes(config):
            words = OmegaConf.to_container(config.hydra.overrides.task)
            write(job_folder(config), {"job": config.hydra.job.num, "overrides": words})

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        if not writes(config):
            return
        folder = job_folder(config)
        if job_return.status == JobStatus.FAILED:
            write(folder, {"error": told(job_return._return_value)})
        refresh(Path(config.hydra.sweep.dir).absolute())


def writes(config: DictConfig) -> bool:
    """In a sweep that trains, on one process of each job."""
    sweeps = config.hydra.mode == RunMode.MULTIRUN and not config.get("check")
    return sweeps and int(os.environ.get("RANK", 0)) == 0


def job_folder(config: DictConfig) -> Path:
    return Path(config.hydra.runtime.output_dir)


def told(error: BaseException) -> str:
    """A job's own error speaks for itself; any other needs its kind."""
    from gan_cli.config.command_line import JobError

    return str(error) if isinstance(error, JobError) else f"{type(error).__name__}: {error}"


def write(folder: Path, facts: dict[str, Any]) -> None:
    path = folder / "job.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**old, **facts}, indent=2) + "\n")


def refresh(sweep: Path) -> Path:
    from gan_cli.report.sweep_report import write_sweep_report

    return write_sweep_report(sweep)


def conclude(sweep: Path) -> None:
    """However the sweep ended: in its last job, in a failed one or by Ctrl-C."""
    if any(sweep.rglob("job.json")):
        print(f"the sweep's results: {refresh(sweep)}", flush=True)
