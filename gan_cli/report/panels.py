"""Which curves share a panel, and which panels a heading."""

import re
from collections.abc import Mapping

from gan_cli.report.charts import Curve, chart
from gan_cli.report.html import Markup, tag
from gan_cli.report.records import Point, Record
from gan_cli.report.words import finite, number

Series = Mapping[str, list[Point]]

PAIR = re.compile(r"(?<![a-z])(real|fake)(?![a-z])")


def curves_of(record: Record) -> list[Markup]:
    """Small multiples under a heading for each prefix, then every number's range as a table."""
    best = record.card.get("best", {})
    blocks = []
    for heading, panels in grouped(record.series).items():
        charts = (
            chart(
                title,
                [
                    Curve(label, record.series[name], mark_of(name, best, record.series))
                    for label, name in lines.items()
                ],
            )
            for title, lines in panels.items()
        )
        blocks.append(tag("h3", heading))
        blocks.append(tag("div", *charts, class_="charts"))
    if blocks:
        blocks.append(ranges(record.series))
    return blocks


def mark_of(name: str, best: Mapping[str, list[float]], series: Series) -> Point | None:
    """(step, value) of the best of a metric, where the curve still has that step."""
    if name not in best:
        return None
    value, step = best[name]
    step = int(step)
    return (step, value) if finite(value) and dict(series[name]).get(step) == value else None


def grouped(series: Series) -> dict[str, dict[str, dict[str, str]]]:
    """heading -> panel -> label -> name in `series`. Metrics first, speed last."""
    groups: dict[str, dict[str, dict[str, str]]] = {"metrics": {}}
    speed = [name for name in series if name == "images_per_second"]
    for name in [*(name for name in series if name not in speed), *speed]:
        heading, panel, label = placed(name)
        groups.setdefault(heading, {}).setdefault(panel, {})[label] = name
    return {heading: panels for heading, panels in groups.items() if panels}


def placed(name: str) -> tuple[str, str, str]:
    """Heading, panel, label. What is said of real and of fake is compared, and so are players."""
    prefix, _, rest = name.rpartition("/")
    if name == "images_per_second":
        return "speed and gradients", "images/s", "images/s"
    if rest == "gradient_norm":
        return "speed and gradients", "gradient norm", prefix
    if not prefix:
        return "metrics", spaced(name), name
    pair = PAIR.search(rest.replace("_", " "))
    if pair is None:
        return prefix, spaced(rest), rest
    start, end = pair.span()
    panel = f"{rest[:start]} {rest[end:]}".replace("_", " ").split()
    return prefix, " ".join(panel) or spaced(rest), pair[1]


def spaced(name: str) -> str:
    return name.replace("_", " ") if "/" in name or not name.startswith("fd_") else name


def ranges(series: Series) -> Markup:
    head = tag("tr", *(tag("th", word) for word in ("", "first", "lowest", "highest", "last")))
    rows = []
    for name, points in series.items():
        values = [value for _, value in points]
        sound = [value for value in values if finite(value)] or [float("nan")]
        cells = (number(value) for value in (values[0], min(sound), max(sound), values[-1]))
        rows.append(tag("tr", tag("th", name), *(tag("td", cell) for cell in cells)))
    table = tag("div", tag("table", head, *rows, class_="numbers"), class_="scroll")
    return tag("details", tag("summary", "The numbers behind the curves"), table)
