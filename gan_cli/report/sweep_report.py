"""index.html and sweep.csv of a sweep, made from the folders of its jobs alone."""

import csv
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from statistics import fmean

from gan_cli.report.axes import Axis
from gan_cli.report.charts import COLOURS, Curve, chart
from gan_cli.report.html import Markup, page, section, tag
from gan_cli.report.jobs import (
    Group,
    differing,
    grouped,
    metrics_of,
    read_jobs,
    seed_of,
    value_of,
)
from gan_cli.report.parts import tile
from gan_cli.report.ranking import ranking
from gan_cli.report.records import Objective, Point, Record


def write_sweep_report(sweep: Path) -> Path:
    """sweep/index.html, and sweep.csv beside it; each replaced in one go."""
    jobs = read_jobs(sweep)
    objective = next((found for job in jobs if (found := job.objective)), None)
    replace(sweep / "sweep.csv", table_of(sweep, jobs, objective))
    index = sweep / "index.html"
    replace(index, page(f"{sweep.name} - gan_cli sweep", *content(sweep, jobs, objective)))
    return index


def replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")  # jobs may end at the same time
    temporary.write_text(text, "utf-8", newline="")
    temporary.replace(path)


def table_of(sweep: Path, jobs: Sequence[Record], objective: Objective | None) -> str:
    """CSV, one row a job; a value that there is not is empty."""
    keys, metrics = differing(jobs), metrics_of(jobs)
    head = ["job", "seed", *keys, "objective", "value", "step"]
    head += [f"{when} {name}" for name in metrics for when in ("best", "last")]
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow([*head, "findings", "status", "folder"])
    for job in jobs:
        name = objective.name if objective else ""
        row = [job.job["job"], seed_of(job), *(job.overrides.get(key, "") for key in keys)]
        row += [name, *value_of(job, "best", name)]
        row += [value_of(job, when, metric)[0] for metric in metrics for when in ("best", "last")]
        row += [" ".join(found["name"] for found in job.findings), job.status]
        row.append(job.folder.relative_to(sweep).as_posix())
        writer.writerow("" if cell is None else cell for cell in row)
    return text.getvalue()


def content(sweep: Path, jobs: Sequence[Record], objective: Objective | None) -> list[Markup]:
    lower = objective is None or objective.lower_is_better
    groups = grouped(jobs, objective.name if objective else "", lower)
    finished = sum(job.status == "finished" for job in jobs)
    told = f"{len(jobs)} jobs, {finished} finished"
    if objective:
        told += f" \u00b7 {objective.name}, {'lower' if lower else 'higher'} is better"
    table = tag("div", ranking(sweep, groups, objective), class_="scroll")
    note = "seeds folded into mean \u00b1 standard deviation; sweep.csv has each job"
    return [
        tag("header", tag("h1", sweep.name), tag("p", told, class_="muted")),
        tag(
            "main",
            winner(groups, objective),
            section("Jobs", table, note=note),
            progress(groups, objective),
        ),
    ]


def winner(groups: Sequence[Group], objective: Objective | None) -> Markup | None:
    """The best mean, and the settings that made it."""
    best = groups[0].folded("best", objective.name) if groups and objective else None
    if not objective or not best or not best.values:
        return None
    note = f"mean of {len(best.values)} seeds" if len(best.values) > 1 else None
    tiles = [tile(f"best {objective.name}", str(best), note, main=True)]
    tiles += [tile(key, value) for key, value in groups[0].settings.items()]
    return tag("div", *tiles, class_="tiles")


def progress(groups: Sequence[Group], objective: Objective | None) -> Markup | None:
    """The objective over time of the best groups, each a mean over its seeds."""
    shown = [group for group in groups if group.finished][:COLOURS]
    if not objective or not shown:
        return None
    curves = [Curve(label(group), mean_curve(group.finished, objective.name)) for group in shown]
    note = f"the best {COLOURS} of {len(groups)}" if len(groups) > len(shown) == COLOURS else None
    x = Axis.steps([step for curve in curves for step, _ in curve.points])
    panel = tag("div", chart(objective.name, curves, x), class_="wide")
    return section("Over the steps", panel, note=note)


def label(group: Group) -> str:
    """The values that set it apart."""
    return ", ".join(group.settings.values()) or "all"


def mean_curve(jobs: Sequence[Record], metric: str) -> list[Point]:
    """At the steps that all have."""
    found = [dict(job.series.get(metric, [])) for job in jobs]
    steps = set.intersection(*(set(curve) for curve in found))
    return [(step, fmean(curve[step] for curve in found)) for step in sorted(steps)]
