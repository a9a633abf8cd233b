"""Reads the folder of a run, finished or not."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gan_cli.report.words import finite
from gan_cli.utils.side_files import read_object, read_rows
from gan_cli.utils.strict_json import numbers

log = logging.getLogger("gan_cli")

Point = tuple[int, float]  # (step, value)
DATA = "real"  # name of the preview of the data; of those of further batch keys, real_KEY
AUGMENTED = "augmented"  # name of the preview of the data as critics see them
SOURCES = ("run.json", "job.json", "metrics.jsonl", "samples", "cards")  # of a record


class Frame(NamedTuple):
    """A preview picture at a step."""

    step: int
    path: Path


class Objective(NamedTuple):
    """The value that a sweep optimizes, at its best."""

    name: str
    lower_is_better: bool
    value: float
    step: int


@dataclass(frozen=True)
class Record:
    """Content of a run folder, from which reports are made."""

    folder: Path
    card: dict[str, Any]  # run.json
    job: dict[str, Any]  # job.json, if the run is the job of a sweep
    series: dict[str, list[Point]]  # metrics.jsonl, by name
    frames: dict[str, list[Frame]]  # samples/, by name, oldest first
    metric_cards: dict[str, dict[str, Any]]  # cards/, by file name

    @classmethod
    def read(cls, folder: Path) -> "Record":
        return cls(
            folder,
            with_numbers(read_json(folder / "run.json"), ("last", "best", "objective")),
            read_json(folder / "job.json"),
            read_series(folder / "metrics.jsonl"),
            find_frames(folder / "samples"),
            {
                path.stem: with_numbers(read_json(path), ("values", "spread", "by_seed"))
                for path in sorted((folder / "cards").glob("*.json"))
            },
        )

    @classmethod
    def remembered(cls, folder: Path) -> "Record":
        """Reads the folder, unless this process has done so and no file has changed since."""
        stamps = tuple(stamp(folder / name) for name in SOURCES)
        known = REMEMBERED.get(folder)
        if known is None or known[0] != stamps:
            known = REMEMBERED[folder] = stamps, cls.read(folder)
        return known[1]

    @property
    def status(self) -> str:
        """Status of the run, or the error that ended it, also one from before its start.

        A job that was refused in the folder of a finished run has failed. Earlier versions did not
        remove an error after a later success; their job.json has no list of constant keys.
        """
        status = str(self.card.get("status", "not started"))
        if "constant" in self.job or status in ("failed", "not started") or not self.is_own_run:
            return str(self.job.get("error") or status)
        return status

    @property
    def is_own_run(self) -> bool:
        """Whether run.json is that of the job in job.json, as far as the seeds tell."""
        seed = self.card.get("seed")
        return seed is None or str(seed) == self.overrides.get("seed", str(seed))

    @property
    def seed(self) -> str:
        """The seed of the run; that of the job if it has no run of its own."""
        overridden = self.overrides.get("seed")
        return str(self.card.get("seed", "") if overridden is None else overridden)

    @property
    def objective(self) -> Objective | None:
        if stated := self.card.get("objective"):
            return Objective(*(stated[key] for key in Objective._fields))
        for name, (value, step) in self.card.get("best", {}).items():
            return Objective(name, True, value, step)
        return None

    def scale(self, end: str) -> dict[str, float]:
        """The floor or the ceiling of each distance, {} if they were not computed."""
        scale = self.card.get("scale")
        return numbers(scale.get(end, {})) if isinstance(scale, dict) else {}

    @property
    def findings(self) -> list[dict[str, Any]]:
        return self.card.get("findings", [])

    @property
    def health(self) -> dict[str, Any]:
        """State and text of the verdict on the run, {} if there is none."""
        found = self.card.get("health", {})
        return found if isinstance(found, dict) else {}

    @property
    def overrides(self) -> dict[str, str]:
        """Overrides by key; those of a sweep's job are its share of the command line."""
        words = self.job.get("overrides") or self.card.get("command", [])[1:]
        pairs = (word.lstrip("+~").partition("=") for word in words if not word.startswith("-"))
        return {key: value for key, _, value in pairs}


REMEMBERED: dict[Path, tuple[Any, Record]] = {}  # the stamps of its sources, and a record


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file, or a folder whose files are replaced; None if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, {} if there is none or it is damaged."""
    found = read_object(path)
    if found is None:
        log.warning("%s is damaged; the report leaves it out", path)
    return found or {}


def with_numbers(entries: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The entries, with infinity and NaN in those of `keys`, which JSON has as texts."""
    return entries | {key: numbers(entries[key]) for key in keys if key in entries}


def read_series(path: Path) -> dict[str, list[Point]]:
    """Points of each series in the order of steps; the last value counts if a step was repeated."""
    series: dict[str, dict[int, float]] = {}
    for row in read_rows(path.read_bytes()) if path.is_file() else ():
        if row is None:  # an incomplete line of a killed run
            continue
        for name, value in numbers(row.values).items():
            if name not in ("step", "time") and isinstance(value, int | float):
                series.setdefault(name, {})[row.step] = value
    return {name: sorted(points.items()) for name, points in series.items()}


def find_frames(folder: Path) -> dict[str, list[Frame]]:
    """The pictures <name>-<step>.png of `folder` by name, in the order of steps."""
    frames: dict[str, list[Frame]] = {}
    for path in folder.glob("*.png"):
        if match := re.fullmatch(r"(.+)-(\d+)", path.stem):
            frames.setdefault(match[1], []).append(Frame(int(match[2]), path))
    return {name: sorted(found) for name, found in sorted(frames.items())}


def is_augmented(name: str) -> bool:
    """Returns whether the pictures of this name show data as critics see them."""
    return name == AUGMENTED or name.startswith(f"{AUGMENTED}_")


def of_data(name: str) -> bool:
    """Returns whether the pictures of this name show data rather than samples."""
    return name == DATA or name.startswith(f"{DATA}_")


def finite_values(points: list[Point]) -> list[float]:
    """The values of `points` that are finite."""
    return [value for _, value in points if finite(value)]
