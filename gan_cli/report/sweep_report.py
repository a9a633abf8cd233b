"""index.html, sweep.csv and table.md, .tex, .csv of a sweep, from the folders of its jobs."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from gan_cli.report.axes import Axis
from gan_cli.report.charts import COLOURS, Curve, chart
from gan_cli.report.html import Markup, page, section, tag
from gan_cli.report.jobs import (
    Group,
    group_jobs,
    metric_names,
    read_jobs,
    value_of,
    varied_keys,
)
from gan_cli.report.parts import tile
from gan_cli.report.ranking import ranking
from gan_cli.report.records import Objective, Point, Record
from gan_cli.report.table import sweep_table
from gan_cli.report.table_formats import FORMATS, SUFFIXES
from gan_cli.utils.files import write_text


def write_sweep_report(sweep: Path) -> Path:
    """Writes index.html, sweep.csv and the tables atomically; returns the path of the first."""
    jobs = read_jobs(sweep)
    objective = next((found for job in jobs if (found := job.objective)), None)
    write_text(sweep / "sweep.csv", csv_table(sweep, jobs, objective), durable=False)
    table = sweep_table(sweep, jobs=jobs)
    for name, suffix in SUFFIXES.items() if table.has_values else ():
        write_text(sweep / f"table{suffix}", FORMATS[name](table), durable=False)
    text = page(f"{sweep.name} - gan_cli sweep", *content(sweep, jobs, objective))
    return write_text(sweep / "index.html", text, durable=False)


def csv_table(sweep: Path, jobs: Sequence[Record], objective: Objective | None) -> str:
    """A CSV table with one row per job; missing values are empty."""
    keys, metrics = varied_keys(jobs), metric_names(jobs)
    head = ["job", "seed", *keys, "objective", "value", "step"]
    head += [f"{when} {name}" for name in metrics for when in ("best", "last")]
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow([*head, "health", "findings", "status", "folder"])
    for job in jobs:
        name = objective.name if objective else ""
        row = [job.job["job"], job.seed, *(job.overrides.get(key, "") for key in keys)]
        row += [name, *value_of(job, "best", name)]
        row += [value_of(job, when, metric)[0] for metric in metrics for when in ("best", "last")]
        row += [job.health.get("state", ""), " ".join(found["name"] for found in job.findings)]
        row.append(job.status)
        row.append(job.folder.relative_to(sweep).as_posix())
        writer.writerow("" if cell is None else cell for cell in row)
    return text.getvalue()


def content(sweep: Path, jobs: Sequence[Record], objective: Objective | None) -> list[Markup]:
    """The sections of the report."""
    lower = objective is None or objective.lower_is_better
    groups = group_jobs(jobs, objective.name if objective else "", lower)
    finished = sum(job.status == "finished" for job in jobs)
    summary = f"{len(jobs)} jobs, {finished} finished"
    if objective:
        summary += f" \u00b7 {objective.name}, {'lower' if lower else 'higher'} is better"
    table = tag("div", ranking(sweep, groups, objective), class_="scroll")
    note = "mean \u00b1 standard deviation over seeds; sweep.csv lists each job"
    return [
        tag("header", tag("h1", sweep.name), tag("p", summary, class_="muted")),
        tag(
            "main",
            best_tiles(groups, objective),
            section("Jobs", table, note=note),
            progress_section(groups, objective),
        ),
    ]


def best_tiles(groups: Sequence[Group], objective: Objective | None) -> Markup | None:
    """Tiles with the best mean and the settings of its group."""
    best = groups[0].over_seeds("best", objective.name) if groups and objective else None
    if not objective or not best or not best.values:
        return None
    note = f"mean of {len(best.values)} seeds" if len(best.values) > 1 else None
    tiles = [tile(f"best {objective.name}", str(best), note, main=True)]
    tiles += [tile(key, value) for key, value in groups[0].settings.items()]
    return tag("div", *tiles, class_="tiles")


def progress_section(groups: Sequence[Group], objective: Objective | None) -> Markup | None:
    """A chart of the objective of the best groups over the steps, averaged over seeds."""
    shown = [group for group in groups if group.finished][:COLOURS]
    if not objective or not shown:
        return None
    curves = [
        Curve(group_label(group), mean_curve(group.finished, objective.name)) for group in shown
    ]
    note = f"the best {COLOURS} of {len(groups)}" if len(groups) > len(shown) == COLOURS else None
    x = Axis.steps([step for curve in curves for step, _ in curve.points])
    panel = tag("div", chart(objective.name, curves, x), class_="wide")
    return section("Over the steps", panel, note=note)


def group_label(group: Group) -> str:
    """The values of the settings that vary."""
    return ", ".join(group.settings.values()) or "all"


def mean_curve(jobs: Sequence[Record], metric: str) -> list[Point]:
    """The mean over jobs at the steps that all of them have."""
    found = [dict(job.series.get(metric, [])) for job in jobs]
    steps = set.intersection(*(set(curve) for curve in found))
    return [(step, sum(curve[step] for curve in found) / len(found)) for step in sorted(steps)]
