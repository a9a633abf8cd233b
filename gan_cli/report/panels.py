"""Assigns curves to panels, and panels to headings."""

import re
from collections.abc import Mapping

from gan_cli.report.axes import Axis
from gan_cli.report.captions import caption
from gan_cli.report.charts import Curve, chart
from gan_cli.report.html import Markup, tag
from gan_cli.report.records import Point, Record
from gan_cli.report.words import finite, number

Series = Mapping[str, list[Point]]

PAIR = re.compile(r"\b(real|fake)\b")
LAST = ("gradient_norm", "images_per_second")


def curve_panels(record: Record) -> list[Markup]:
    """Charts of all series over the same steps, and a table of their ranges."""
    series, best = record.series, record.card.get("best", {})
    x = Axis.steps([step for points in series.values() for step, _ in points])
    blocks = []
    for heading, panels in group_panels(series).items():
        charts = []
        for title, lines in panels.items():
            curves = [Curve(k, series[n], best_point(n, best, series)) for k, n in lines.items()]
            wanted = next(filter(None, map(caption, lines.values())), None)
            charts.append(chart(title, curves, x, wanted))
        blocks += [tag("h3", heading), tag("div", *charts, class_="charts")]
    return [*blocks, range_table(series)]


def best_point(name: str, best: Mapping[str, list[float]], series: Series) -> Point | None:
    """(step, value) of the best value of a metric, if the series contains it."""
    if name not in best:
        return None
    value, step = best[name]
    step = int(step)
    return (step, value) if finite(value) and dict(series[name]).get(step) == value else None


def group_panels(series: Series) -> dict[str, dict[str, dict[str, str]]]:
    """Heading -> panel -> label -> name in `series`; metrics come first, then training, health."""
    groups: dict[str, dict[str, dict[str, str]]] = {"metrics": {}, "training": {}, "health": {}}
    for name in sorted(series, key=lambda name: name.endswith(LAST)):
        heading, panel, label = placement(name)
        groups[heading].setdefault(panel, {})[label] = name
    return {heading: panels for heading, panels in groups.items() if panels}


def placement(name: str) -> tuple[str, str, str]:
    """Heading, panel and label; values of real and fake, and of players, share a panel."""
    prefix, _, rest = name.partition("/")
    if name == "images_per_second":
        return "training", "images/s", name
    if not rest:
        return "metrics", name, name
    heading = "health" if prefix == "health" else "training"
    if rest == "gradient_norm":
        return heading, "gradient norm", prefix
    if "/" in rest:
        panel, _, label = rest.partition("/")
        return heading, panel.replace("_", " "), label
    words = rest.replace("_", " ")
    title = words if prefix == "health" else f"{prefix}: {words}"
    pair = PAIR.search(title)
    if pair is None:
        return heading, title, name
    return heading, " ".join(f"{title[: pair.start()]} {title[pair.end() :]}".split()), pair[1]


def range_table(series: Series) -> Markup:
    """A table of the first, lowest, highest and last value of each series."""
    head = tag("tr", *(tag("th", word) for word in ("", "first", "lowest", "highest", "last")))
    rows = []
    for name, points in series.items():
        values = [value for _, value in points]
        usable = [value for value in values if finite(value)] or [float("nan")]
        cells = (number(value) for value in (values[0], min(usable), max(usable), values[-1]))
        rows.append(tag("tr", tag("th", name), *(tag("td", cell) for cell in cells)))
    table = tag("div", tag("table", head, *rows, class_="numbers"), class_="scroll")
    return tag("details", tag("summary", "The numbers behind the curves"), table)
