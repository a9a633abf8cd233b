"""The table of a sweep for a paper: mean, deviation and number of seeds per configuration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli.report.jobs import (
    Group,
    SeedStatistics,
    Settings,
    When,
    group_jobs,
    metric_names,
    read_jobs,
    varied_keys,
)
from gan_cli.report.protocol import flat, unequal
from gan_cli.report.ranking import best_or_last
from gan_cli.report.records import Record


@dataclass(frozen=True)
class Column:
    """A metric: its best values or its last ones."""

    metric: str
    when: When
    lower_is_better: bool | None  # None: it has no direction

    @property
    def name(self) -> str:
        return f"{self.when} {self.metric}"


@dataclass(frozen=True)
class Row:
    """A configuration, and its values by the name of their column."""

    settings: Settings
    seeds: int  # finished ones
    values: dict[str, SeedStatistics]


@dataclass(frozen=True)
class Table:
    """All configurations of a sweep, the best by the first metric on top."""

    keys: list[str]  # that vary
    columns: list[Column]
    rows: list[Row]
    protocol: dict[str, Any]  # by dotted key; entries that differ are left out
    differences: dict[str, list[Any]]  # entries of the protocol that differ between jobs

    def is_best(self, row: Row, column: Column) -> bool:
        """Whether no row has a better mean; never if the values are not comparable."""
        means = [other.values[column.name].mean for other in self.rows]
        means = [mean for mean in means if mean == mean]
        if column.lower_is_better is None or self.differences or len(means) < 2:
            return False
        best: Callable[[list[float]], float] = min if column.lower_is_better else max
        return row.values[column.name].mean == best(means)

    @property
    def has_values(self) -> bool:
        return any(cell.values for row in self.rows for cell in row.values.values())


def sweep_table(sweep: Path, when: When | None = None, jobs: list[Record] | None = None) -> Table:
    """The table of the jobs of a sweep.

    If `when` is None, columns have the best values of metrics with a best one, as index.html does.
    """
    jobs = read_jobs(sweep) if jobs is None else jobs
    objective = next((found for job in jobs if (found := job.objective)), None)
    first, lower = (objective.name, objective.lower_is_better) if objective else ("", True)
    names = sorted(metric_names(jobs), key=lambda name: name != first)
    directions = ({first: lower} if objective else {}) | directions_of(jobs)
    columns = [
        Column(name, when or best_or_last(jobs, name), directions.get(name)) for name in names
    ]
    finished = [job for job in jobs if job.status == "finished"]
    protocol, differences = protocol_of(finished)
    groups = group_jobs(jobs, first, lower)
    rows = [row_of(group, columns) for group in groups]
    return Table(varied_keys(jobs), columns, rows, protocol, differences)


def row_of(group: Group, columns: Sequence[Column]) -> Row:
    values = {column.name: group.over_seeds(column.when, column.metric) for column in columns}
    return Row(group.settings, len({job.seed for job in group.finished}), values)


def cards_of(jobs: Sequence[Record]) -> list[dict[str, Any]]:
    """The card that each job has written last, with those entries that cards are compared by."""
    cards = (job.metric_cards.get("last", {}) for job in jobs)
    return [card for card in cards if all(isinstance(card.get(k), dict) for k in PARTS)]


PARTS = ("protocol", "metrics", "lower_is_better")


def directions_of(jobs: Sequence[Record]) -> dict[str, bool]:
    """Whether lower is better, by metric."""
    return {k: bool(v) for card in cards_of(jobs) for k, v in card["lower_is_better"].items()}


def protocol_of(jobs: Sequence[Record]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The protocol that all jobs share, and the entries that differ, with their values."""
    cards = cards_of(jobs)
    if not cards:
        return {}, {}
    differences = unequal(cards)
    options = {f"metrics.{k}": v for k, v in flat(cards[0]["metrics"]).items()}
    options = {key: value for key, value in options.items() if not key.endswith(".name")}
    whole = flat(cards[0]["protocol"]) | options
    return {key: value for key, value in whole.items() if key not in differences}, differences
