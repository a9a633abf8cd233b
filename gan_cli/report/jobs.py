"""The jobs of a sweep: what differs between them, and seeds folded into mean and spread."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

from gan_cli.report.records import Record
from gan_cli.report.words import finite, number

Settings = dict[str, str]
When = Literal["best", "last"]


@dataclass(frozen=True)
class Folded:
    """Of the finished jobs that have the value."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values) if self.values else math.nan

    def __str__(self) -> str:
        """With the sample standard deviation, where there is one, to its second digit."""
        if len(self.values) < 2:
            return number(self.mean) if self.values else "-"
        spread = stdev(self.values)
        if spread <= max(1e-4 * abs(self.mean), 1e-6):  # one would drown in the other's digits
            return f"{number(self.mean)} \u00b1 {spread:.2g}"
        places = max(0, 1 - math.floor(math.log10(spread)))
        return f"{self.mean:,.{places}f} \u00b1 {spread:,.{places}f}"


@dataclass(frozen=True)
class Group:
    """Jobs that differ in nothing but their seed."""

    settings: Settings
    jobs: list[Record]

    @property
    def finished(self) -> list[Record]:
        return [job for job in self.jobs if job.status == "finished"]

    def folded(self, when: When, metric: str) -> Folded:
        """Only over finished jobs: the best of half a run is that of a shorter one."""
        values = (value_of(job, when, metric)[0] for job in self.finished)
        return Folded(tuple(value for value in values if value is not None and finite(value)))


def value_of(job: Record, when: str, metric: str) -> tuple[float | None, int | None]:
    """(value, step); None for both where there is none."""
    value, step = job.card.get(when, {}).get(metric, (None, None))
    return value, step


def read_jobs(sweep: Path) -> list[Record]:
    """Every folder that the sweep gave to a job, in their order."""
    jobs = [Record.read(path.parent) for path in sweep.rglob("job.json")]
    return sorted(jobs, key=lambda job: int(job.job["job"]))


def seed_of(job: Record) -> str:
    return str(job.overrides.get("seed", job.card.get("seed", "")))


def differing(jobs: Sequence[Record]) -> list[str]:
    """Keys that were typed with several values, the seed apart."""
    keys = dict.fromkeys(key for job in jobs for key in job.overrides if key != "seed")
    return [key for key in keys if len({job.overrides.get(key) for job in jobs}) > 1]


def grouped(jobs: Sequence[Record], objective: str, lower: bool) -> list[Group]:
    """The best mean first; those of which no job finished last."""
    keys = differing(jobs)
    groups: dict[tuple[str, ...], Group] = {}
    for job in jobs:
        settings = {key: job.overrides.get(key, "") for key in keys}
        groups.setdefault(tuple(settings.values()), Group(settings, [])).jobs.append(job)

    def rank(group: Group) -> float:
        mean = group.folded("best", objective).mean
        return math.inf if math.isnan(mean) else mean if lower else -mean

    return sorted(groups.values(), key=rank)


def metrics_of(jobs: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for job in jobs for name in job.card.get("last", {})))
