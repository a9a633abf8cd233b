"""Runs training once: locks the run folder, opens the loggers, reports the outcome."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_cli.checkpoints.contents import plain
from gan_cli.data.spec import Spec
from gan_cli.report.run_report import refresh
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError, StorageError, UserError
from gan_cli.utils.stop_signals import StopSignal
from gan_cli.utils.versions import environment


def run_training(config: Any, folder: Path, started: float) -> Run:
    """Builds or resumes the run in `folder` and trains it to its last step."""
    with locked(folder):
        run = Run(config, folder)
        run.resume()
        owner = run.runtime.processes.rank == 0
        logger = Logger(folder if owner else None, run.step)
        display = Display(config.steps, run.step, silent=not owner)
        display.say(headline(run))
        logger.run_card({**environment(), **facts(run), "status": "running", "started": started})
        status = "failed"
        try:
            with StopSignal() as stop:
                run.train(logger, display, stop)
            status = "finished"
        except UserError as error:
            status = str(error)
            raise
        except OSError as error:
            raise StorageError(f"{folder}: {error.strerror or error}") from error
        finally:
            display.close()
            logger.close()
            logger.run_card({**outcome(run), "status": status, "ended": time.time()})
            if owner:
                refresh(folder)
            run.feed.close()
            run.runtime.processes.close()
        display.say(farewell(run))
        return run


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process writes into a run folder; ConfigError for a second one.

    A folder in which nothing was left (the config was refused, say) is removed again.
    """
    if int(os.environ.get("RANK", 0)) > 0:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"run: another process is training in {folder}; take another run=NAME"
            ) from None
        try:
            yield
        finally:
            if [path.name for path in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
                folder.rmdir()


def facts(run: Run) -> dict[str, Any]:
    """About this run, for run.json."""
    parameters = {
        role: sum(p.numel() for p in network.parameters())
        for role, network in run.game.networks.items()
    }
    return {
        "device": run.runtime.describe(),
        "processes": run.runtime.processes.world,
        "seed": run.config.seed,
        "parameters": parameters,
        "data": {"samples": len(run.dataset), "feed": run.feed.kind, **described(run.dataset.spec)},
        "config": plain(run.config),
        "resumed_at": run.step,
    }


def described(spec: Spec) -> dict[str, Any]:
    """The samples that the run is about, for run.json and its report."""
    return {
        "kind": spec.kind,
        "shape": list(spec.shape),
        "classes": spec.classes,
        "class_names": list(spec.class_names),
    }


def outcome(run: Run) -> dict[str, Any]:
    images, findings = run.step * run.config.batch_size, run.health.findings()
    return {"step": run.step, "images": images, **run.scores.outcome(), "findings": findings}


def headline(run: Run) -> str:
    card = facts(run)
    sizes = ", ".join(f"{role} {count:,}" for role, count in card["parameters"].items())
    start = f"resumes at step {run.step}" if run.step else "starts"
    return (
        f"{run.folder} {start}: {card['data']['samples']:,} samples of {run.dataset.spec.shape} "
        f"({run.feed.kind}), {sizes} parameters, on {card['device']}"
    )


def farewell(run: Run) -> str:
    """Where everything is, how good it got, and what to type next."""
    outputs = Path("outputs")
    name = run.folder.relative_to(outputs) if run.folder.is_relative_to(outputs) else run.folder
    sample = f"gan-sample run={name}   " if run.game.targets(run.dataset.spec) else ""
    return (
        f"{run.folder}: {run.step} steps done\n{run.scores.summary()}\n"
        f"report: {run.folder / 'report.html'}   pictures: {run.folder / 'samples'}\n"
        f"next: {sample}tensorboard --logdir {run.folder}"
    )
