"""Small line charts as inline SVG, which scale with the page and need no script."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gan_cli.report.axes import Axis
from gan_cli.report.html import Markup, tag
from gan_cli.report.records import Point, finite_values
from gan_cli.report.words import compact, finite, number

WIDTH, HEIGHT = 340, 180
LEFT, RIGHT, TOP, BOTTOM = 42, 14, 12, 24  # margins
BUCKETS = 160  # a curve is about 290 pixels wide; each bucket keeps its two extremes
CROSSES = 40
COLOURS = 6  # number of colours in page.css


@dataclass(frozen=True)
class Curve:
    """A line of a chart, and the point that is marked as the best."""

    label: str
    points: Sequence[Point]
    best: Point | None = None


def chart(title: str, curves: Sequence[Curve], x: Axis, caption: str | None = None) -> Markup:
    """A chart of `curves` over the steps `x`, with a title, a legend and a sentence below."""
    values = [value for curve in curves for value in finite_values(list(curve.points))]
    y = Axis.around(values)
    lines = [draw_curve(curve, i, x, y) for i, curve in enumerate(curves)]
    picture = tag(
        "svg",
        *grid_lines(x, y),
        *lines,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label="; ".join(description(curve) for curve in curves),
    )
    scale = tag("small", "log scale") if y.log else None
    heading = tag("figcaption", tag("b", title), scale, legend(curves))
    below = tag("p", caption, class_="wanted") if caption else None
    return tag("figure", heading, picture, below, class_="chart")


def legend(curves: Sequence[Curve]) -> Markup:
    """Colour, name and last value of each line; a single line has no name."""
    alone = len(curves) == 1
    entries = (
        tag(
            "li",
            None if alone else curve.label,
            tag("b", last_value(curve)),
            class_=f"c{i % COLOURS}",
        )
        for i, curve in enumerate(curves)
    )
    return tag("ul", *entries, class_="alone" if alone else None)


def last_value(curve: Curve) -> str:
    """The last value of a curve, "-" if it has none."""
    return number(curve.points[-1][1]) if curve.points else "-"


def description(curve: Curve) -> str:
    """A text that describes the curve, for screen readers."""
    values = finite_values(list(curve.points))
    if not values:
        return f"{curve.label}: no finite value"
    text = f"{curve.label}: {number(values[0])} at first, {number(values[-1])} at last"
    text += f", between {number(min(values))} and {number(max(values))}"
    if curve.best is not None:
        text += f", best {number(curve.best[1])} at step {number(curve.best[0])}"
    return text


def grid_lines(x: Axis, y: Axis) -> Iterator[Markup]:
    """Horizontal lines at the ticks of `y`, and the labels of both axes."""
    for value in y.ticks():
        at = across(y.position(value), HEIGHT - BOTTOM, TOP)
        yield tag("path", d=f"M{LEFT} {at}H{WIDTH - RIGHT}", class_="rule")
        yield tag("text", compact(value), x=LEFT - 6, y=at, dy="0.35em", text_anchor="end")
    for step in x.ticks(5):
        at = across(x.position(step), LEFT, WIDTH - RIGHT)
        yield tag("text", compact(step), x=at, y=HEIGHT - 7, text_anchor="middle")


def draw_curve(curve: Curve, index: int, x: Axis, y: Axis) -> Markup:
    """The line, interrupted and marked with crosses where values are not finite.

    A ring marks the best point.
    """

    def place(point: Point) -> tuple[float, float]:
        return (
            across(x.position(point[0]), LEFT, WIDTH - RIGHT),
            across(y.position(point[1]), HEIGHT - BOTTOM, TOP),
        )

    def stroke(points: Sequence[Point]) -> Markup:
        values = " ".join(f"{step}:{value:.5g}" for step, value in points)
        if len(points) == 1:
            cx, cy = place(points[0])
            return tag("circle", cx=cx, cy=cy, r=3, data_values=values)
        path = " ".join("{:g},{:g}".format(*place(point)) for point in points)
        return tag("polyline", points=path, data_values=values)

    runs, lost = finite_runs(thin_out(curve.points))
    crosses = "".join(
        f"M{across(x.position(step), LEFT, WIDTH - RIGHT) - 3:g} {TOP - 6}l6 6m0 -6l-6 6"
        for step in lost[:CROSSES]
    )
    bad = tag("path", tag("title", "not finite"), d=crosses, class_="lost") if crosses else None
    ring = None
    if curve.best is not None:
        cx, cy = place(curve.best)
        text = f"best {number(curve.best[1])} at step {number(curve.best[0])}"
        ring = tag("circle", tag("title", text), cx=cx, cy=cy, r=4.5, class_="best")
    label = curve.label
    return tag(
        "g", *map(stroke, runs), bad, ring, class_=f"line c{index % COLOURS}", data_label=label
    )


def across(share: float, start: float, end: float) -> float:
    """The coordinate at `share` of the way from `start` to `end`, in pixels."""
    return round(start + share * (end - start), 1)


def thin_out(points: Sequence[Point]) -> list[Point]:
    """A few hundred of the points, with the extremes of each bucket and all non-finite ones."""
    if len(points) <= 2 * BUCKETS:
        return list(points)
    kept = {0, len(points) - 1}
    size = math.ceil(len(points) / BUCKETS)
    for start in range(0, len(points), size):
        bucket = range(start, min(start + size, len(points)))
        usable = [i for i in bucket if finite(points[i][1])]
        kept |= {i for i in bucket if not finite(points[i][1])}
        if usable:
            kept |= {f(usable, key=lambda i: points[i][1]) for f in (min, max)}
    return [points[i] for i in sorted(kept)]


def finite_runs(points: Sequence[Point]) -> tuple[list[list[Point]], list[int]]:
    """Runs of consecutive finite points, and the steps whose values are not finite."""
    runs: list[list[Point]] = [[]]
    lost = []
    for step, value in points:
        if finite(value):
            runs[-1].append((step, value))
        else:
            lost.append(step)
            runs.append([])
    return [run for run in runs if run], lost
