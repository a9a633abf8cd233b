"""Jobs of a sweep: settings that vary, and statistics over seeds."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

from gan_cli.report.records import Record
from gan_cli.report.words import finite, number

Settings = dict[str, str]
# Keys of the config that do not tell groups apart, besides the seed.
IGNORED = {
    *("seed", "run", "imports", "check", "allow_changes", "keep_last"),
    *("logger", "log", "score_scale"),
}
When = Literal["best", "last"]


@dataclass(frozen=True)
class SeedStatistics:
    """Statistics of a value over the finished jobs that have it."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values) if self.values else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation of the sample; NaN for less than two values."""
        return stdev(self.values) if len(self.values) > 1 else math.nan

    def __str__(self) -> str:
        """The mean and, for several values, the standard deviation with two digits."""
        if len(self.values) < 2:
            return number(self.mean) if self.values else "-"
        spread = self.deviation
        if spread <= max(1e-4 * abs(self.mean), 1e-6):  # too small for the mean's digits
            return f"{number(self.mean)} \u00b1 {spread:.2g}"
        places = max(0, 1 - math.floor(math.log10(spread)))
        return f"{self.mean:,.{places}f} \u00b1 {spread:,.{places}f}"


@dataclass(frozen=True)
class Group:
    """Jobs whose configs differ only in their seed."""

    settings: Settings
    jobs: list[Record]

    @property
    def finished(self) -> list[Record]:
        return [job for job in self.jobs if job.status == "finished"]

    def over_seeds(self, when: When, metric: str) -> SeedStatistics:
        """Statistics over finished jobs, since unfinished ones are not comparable.

        Each seed counts once, also if the folder of the sweep holds two runs of it.
        """
        values = {job.seed: value_of(job, when, metric)[0] for job in self.finished}
        return SeedStatistics(
            tuple(value for value in values.values() if value is not None and finite(value))
        )


def value_of(job: Record, when: str, metric: str) -> tuple[float | None, int | None]:
    """The value and its step, both None if the job has none."""
    value, step = job.card.get(when, {}).get(metric, (None, None))
    return value, step


def read_jobs(sweep: Path) -> list[Record]:
    """The jobs of a sweep whose job.json can be read, in the order of their numbers."""
    jobs = [Record.remembered(path.parent) for path in sweep.rglob("job.json")]
    return sorted(
        (job for job in jobs if str(job.job.get("job", "")).isdecimal()),
        key=lambda job: (int(job.job["job"]), job.folder.as_posix()),
    )


def varied_keys(jobs: Sequence[Record]) -> list[str]:
    """Keys, except the seed, whose overrides differ between jobs."""
    keys = dict.fromkeys(key for job in jobs for key in job.overrides if key != "seed")
    return [key for key in keys if len({job.overrides.get(key) for job in jobs}) > 1]


def group_jobs(jobs: Sequence[Record], objective: str, lower: bool) -> list[Group]:
    """Groups of jobs, sorted by their mean; groups without a finished job come last."""
    keys = varied_keys(jobs)
    groups: dict[str, Group] = {}
    for job in jobs:
        settings = {key: job.overrides.get(key, "") for key in keys}
        groups.setdefault(fold_key(job, settings, jobs), Group(settings, [])).jobs.append(job)

    def rank(group: Group) -> float:
        mean = group.over_seeds("best", objective).mean
        return math.inf if math.isnan(mean) else mean if lower else -mean

    return sorted(groups.values(), key=rank)


def fold_key(job: Record, settings: Settings, jobs: Sequence[Record]) -> str:
    """What jobs of one group have in common: the config without the seed.

    A job without a config, or in the folder of another run, takes that of a job with its settings.
    """
    config = job.card.get("config")
    if not config or not job.is_own_run:
        like = (other for other in jobs if other.card.get("config") and other.is_own_run)
        for other in like:
            if all(other.overrides.get(key, "") == value for key, value in settings.items()):
                config = other.card["config"]
                break
        else:
            return json.dumps(settings, sort_keys=True)
    kept = {key: value for key, value in config.items() if key not in IGNORED}
    return json.dumps(kept, sort_keys=True, default=str)


def metric_names(jobs: Sequence[Record]) -> list[str]:
    """Names of the metrics of all jobs."""
    return list(dict.fromkeys(name for job in jobs for name in job.card.get("last", {})))
