"""Table of the groups of a sweep, one row for jobs that differ only in their seed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from gan_cli.report.axes import Axis
from gan_cli.report.charts import across
from gan_cli.report.html import Child, Markup, tag
from gan_cli.report.jobs import Group, When, metric_names, varied_keys
from gan_cli.report.parts import failure, status_pill
from gan_cli.report.pictures_section import embed_image
from gan_cli.report.records import Objective, Record
from gan_cli.report.words import number

STRIP = 24_000  # bytes of the samples of a job, so that a hundred jobs need 3 MB
COLUMNS = 4  # metrics besides the objective; sweep.csv has all


def ranking(sweep: Path, groups: Sequence[Group], objective: Objective | None) -> Markup:
    """The table, with the groups in the given order."""
    jobs = [job for group in groups for job in group.jobs]
    name = objective.name if objective else ""
    metrics = [metric for metric in metric_names(jobs) if metric != name][:COLUMNS]
    others = [(metric, best_or_last(jobs, metric)) for metric in metrics]
    axis = Axis.around(
        [value for group in groups for value in group.over_seeds("best", name).values]
    )
    rows = []
    for group in groups:
        cells: list[tuple[str, Child]] = list(group.settings.items())
        if objective:
            best = group.over_seeds("best", name)
            cells.append((f"best {name}", [tag("b", str(best)), *dots(best.values, axis)]))
            cells.append((f"last {name}", str(group.over_seeds("last", name))))
        cells += [(f"{when} {other}", str(group.over_seeds(when, other))) for other, when in others]
        cells.append(("jobs", [job_line(sweep, job) for job in group.jobs]))
        rows.append(tag("tr", *(tag("td", cell, data_label=label) for label, cell in cells)))
    labels = [*varied_keys(jobs), *([f"best {name}", f"last {name}"] if objective else [])]
    labels += [*(f"{when} {other}" for other, when in others), "jobs"]
    head = tag("tr", *(tag("th", label, scope="col") for label in labels))
    return tag("table", tag("thead", head), tag("tbody", *rows), class_="ranking")


def best_or_last(jobs: Sequence[Record], metric: str) -> When:
    """Which value to show: only the first value of a metric has a best one."""
    return "best" if any(metric in job.card.get("best", {}) for job in jobs) else "last"


def dots(values: Sequence[float], axis: Axis) -> Iterator[Markup]:
    """The number of seeds, and a dot for each on an axis that all rows share."""
    if not values:
        return
    marks = (
        tag("circle", cx=across(axis.position(value), 4, 116), cy=6, r=3.5) for value in values
    )
    rule = tag("path", d="M4 6H116", class_="rule")
    yield tag("small", f" n = {len(values)}")
    yield tag("svg", rule, *marks, viewBox="0 0 120 12", class_="line c0 dots", aria_hidden="true")


def job_line(sweep: Path, job: Record) -> Markup:
    """Samples of a job, its seed as a link to its report, its findings and its error."""
    seed = f"seed {job.seed}"
    href = quote(f"{job.folder.relative_to(sweep).as_posix()}/report.html", safe="/=+")
    name = tag("a", seed, href=href) if (job.folder / "report.html").exists() else seed
    value = tag("b", number(job.objective.value)) if job.objective else None
    pill = status_pill(job.status) if job.status != "finished" else None
    notes = (tag("span", found["name"].replace("_", " "), class_="bad") for found in job.findings)
    early = job.health.get("state") == "too_early"
    doubt = tag("span", "too early to judge", class_="warn") if early else None
    words = tag("div", tag("span", name), value, pill, *notes, doubt, class_="words")
    return tag("div", samples(job), words, failure(job.status), class_="job")


def samples(job: Record) -> Markup | None:
    """The first row of the last image grid, or the whole picture for other kinds of samples."""
    if not job.frames:
        return None
    name, frames = next(iter(job.frames.items()))
    data = job.card.get("data", {})
    shape, is_image = data.get("shape", []), data.get("kind") == "image"
    alt = f"{name} at step {number(frames[-1].step)}"
    return embed_image(frames[-1].path, STRIP, alt, rows=shape[1] if is_image else None)
