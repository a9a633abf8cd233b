"""Runs training once: locks the run folder, opens the loggers, reports the outcome."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_cli.checkpoints.changes import equal, flat
from gan_cli.checkpoints.contents import plain
from gan_cli.config.finished import done_message
from gan_cli.config.quoting import shown, typed_word
from gan_cli.config.schema import Config
from gan_cli.config.start import Start, run_name
from gan_cli.data.spec import Spec
from gan_cli.report.run_report import refresh
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.demand import refuse_what_cannot_fit
from gan_cli.training.log_file import recorded
from gan_cli.training.logger import Logger
from gan_cli.training.loggers import LoggedRun, loggers
from gan_cli.training.loggers.active import ActiveLoggers
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError, ProcessError, StorageError, UserError
from gan_cli.utils.files import make_folder
from gan_cli.utils.locks import locked_file
from gan_cli.utils.memory import TRAINING, memory_errors
from gan_cli.utils.stop_signals import StopSignal
from gan_cli.utils.versions import environment


def run_training(
    config: Config,
    folder: Path,
    started: float,
    start: Start | None = None,
    own: Mapping[str, Any] | None = None,
) -> Run:
    """Builds or resumes the run in `folder`, trains it to its last step and returns it.

    `start` is recorded, so that run=NAME continues the run; `own` are its settings so far.
    """
    runtime = Runtime(config.device)
    owner = runtime.processes.rank == 0
    recording = recorded(folder if owner else None)
    with runtime.processes.ending_together(), locked(folder), recording as file:
        with memory_errors(TRAINING):
            run = Run(config, folder, runtime, own)
            run.resume()
            refuse_what_cannot_fit(run)
        others = open_loggers(run) if owner else None
        logger = Logger(folder if owner else None, run.step, others)
        file.open()
        display = Display(config.steps, run.step, not owner, config.log, file)
        for line, event in start_messages(run):
            display.print(line, event)
        entries = {**environment(), **run_entries(run), "status": "running", "started": started}
        entries |= start.entries() if start else {}
        with StopSignal() as stop:
            logger.update_run_json(entries)
            train(run, logger, display, stop)
        display.print(text := end_message(run), "end", {"text": text, **outcome(run)})
        return run


def open_loggers(run: Run) -> ActiveLoggers:
    """Opens the loggers of the config."""
    logged = LoggedRun(run.folder, plain(run.config), run.step)
    return ActiveLoggers().open(logged, run.config.logger)


def train(run: Run, logger: Logger, display: Display, stop: StopSignal) -> None:
    """Trains to the last step; writes how the run ended to run.json and the report."""
    status = "failed"
    run.runtime.processes.at_abrupt_end(lambda message: end_abruptly(message, logger, display))
    try:
        with memory_errors(TRAINING):
            run.train(logger, display, stop)
        status = "finished"
    except UserError as error:
        status = str(error)
        display.print_error(error)
        raise
    except OSError as error:
        raise StorageError(f"{run.folder}: {error.strerror or error}") from error
    finally:
        display.close()
        logger.close(status == "finished")
        logger.update_run_json({**outcome(run), "status": status, "ended": time.time()})
        if run.runtime.processes.rank == 0:
            refresh(run.folder)
        run.feed.close()


def end_abruptly(message: str, logger: Logger, display: Display) -> None:
    """Writes to run.json and log.txt why the process is ended, before it is."""
    if display.file is not None:
        display.file.end(ProcessError(message, 1))
    logger.update_run_json({"status": message, "ended": time.time()})


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a run folder; raises ConfigError if another process holds the lock.

    A folder that is still empty at the end, after an invalid config for instance, is removed.
    """
    if int(os.environ.get("RANK", 0)) > 0:
        yield
        return
    make_folder(folder)
    with locked_file(folder / ".lock") as free:
        if not free:
            raise ConfigError(
                f"run: another process is training in {folder}; take another run=NAME"
            )
        try:
            yield
        finally:
            if [path.name for path in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
                folder.rmdir()


def run_entries(run: Run) -> dict[str, Any]:
    """Returns the entries of run.json that are known before training."""
    parameters = {
        role: sum(p.numel() for p in network.parameters())
        for role, network in run.game.networks.items()
    }
    return {
        "device": run.runtime.describe(),
        "processes": run.runtime.processes.world,
        "seed": run.config.seed,
        "parameters": parameters,
        "data": {
            "samples": len(run.dataset),
            "feed": run.feed.kind,
            **spec_entries(run.dataset.spec),
        },
        "config": plain(run.config),
        "resumed_at": run.step,
    }


def spec_entries(spec: Spec) -> dict[str, Any]:
    """Returns the entries of run.json that describe the samples."""
    return {
        "kind": spec.kind,
        "shape": list(spec.shape),
        "classes": spec.classes,
        "class_names": list(spec.class_names),
    }


def outcome(run: Run) -> dict[str, Any]:
    """Returns the entries of run.json that are known after training."""
    images = run.step * run.config.batch_size
    return {"step": run.step, "images": images, **run.scores.outcome(), **run.health.outcome()}


def start_messages(run: Run) -> Iterator[tuple[str, str]]:
    """Yields what a run that exists continues with, and what it consists of, with their events."""
    if run.own:
        changed = changed_words(run.own, plain(run.config))
        at = f"at step {run.step:,}" if run.step else "from the start, without a checkpoint,"
        changes = f" ({changed} changed)" if changed else ""
        yield f"continuing {run.folder} {at} with its own settings{changes}", "continue"
    yield start_message(run), "start"
    if run.step and run.step >= run.config.steps:
        yield done_message(run.folder, run.step), "done"


def changed_words(own: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Returns the settings that are not those of the run so far, as they are typed."""
    ignored = ("run", "check", "allow_changes")
    before, now = (
        dict(flat({k: tree[k] for k in tree if k not in ignored})) for tree in (own, new)
    )
    keys = [key for key in now if not equal(before.get(key), now[key])]
    return shown(" ".join(typed_word(key, now[key]) for key in keys), 300)


def start_message(run: Run) -> str:
    """Returns a line with the folder, the data, the number of parameters and the device."""
    entries = run_entries(run)
    sizes = ", ".join(f"{role} {count:,}" for role, count in entries["parameters"].items())
    start = f"resumes at step {run.step}" if run.step else "starts"
    return (
        f"{run.folder} {start}: {entries['data']['samples']:,} samples of {run.dataset.spec.shape} "
        f"({run.feed.kind}), {sizes} parameters, on {entries['device']}"
    )


def end_message(run: Run) -> str:
    """Returns lines with the scores, the files of the run and the next commands."""
    draws = bool(run.game.targets(run.dataset.spec))
    sample = f"gan-sample {typed_word('run', run_name(run.folder))}" if draws else ""
    hints = [loggers.entries[name].hint(run.folder) for name in run.config.logger]
    following = "   ".join(filter(None, [sample, *hints]))
    return (
        f"{run.folder}: {run.step} steps done\n{run.scores.summary()}\n"
        f"{run.health.verdict().message()}\n"
        f"report: {run.folder / 'report.html'}   pictures: {run.folder / 'samples'}\n"
        + (f"next: {following}" if following else "")
    ).rstrip()
