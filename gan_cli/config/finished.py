"""Runs that are done already, which a repeated command or sweep passes over without PyTorch."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli import __version__
from gan_cli.config.start import Start, continuing_command, is_job, recorded_start
from gan_cli.utils.side_files import read_object


@dataclass(frozen=True)
class FinishedRun:
    message: str
    objective: float | None  # best value of the first metric


def finished_run(folder: Path, start: Start) -> FinishedRun | None:
    """The run in a folder if it is done, was started with the same words, and can be read.

    None if there may be anything left to do.
    """
    card: dict[str, Any] = read_object(folder / "run.json") or {}
    if card.get("status") != "finished" or not same_version(card):
        return None
    before, step = recorded_start(folder), card.get("step")
    if before is None or set(before.with_typed(start.words)) != set(before.words):
        return None
    steps = card["config"].get("steps") if isinstance(card.get("config"), dict) else None
    if type(step) is not int or step != steps or not has_checkpoint(folder, step):
        return None
    return FinishedRun(done_message(folder, step), objective(card))


def same_version(card: dict[str, Any]) -> bool:
    versions = card.get("versions")
    return isinstance(versions, dict) and versions.get("gan-cli") in (__version__, "not installed")


def has_checkpoint(folder: Path, step: int) -> bool:
    try:
        return (folder / "checkpoints" / f"step-{step:07d}.pt").is_file()
    except OSError:  # a folder that may not be read
        return False


def done_message(folder: Path, step: int) -> str:
    """Says that a run is done already, and what to type to train it further."""
    again = f"type {continuing_command(folder, f'steps={2 * step}')}"
    again = "type a larger steps=N" if is_job(folder) else again
    return f"{folder} is done already, at step {step:,}; to train further, {again}"


def objective(card: dict[str, Any]) -> float | None:
    """The value that a sweep optimizes, None without a metric."""
    best = card.get("objective")
    try:
        value = float(best["value"]) if isinstance(best, dict) else None
    except (LookupError, TypeError, ValueError):
        return None
    return None if value is None or math.isnan(value) else value
