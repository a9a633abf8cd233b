"""report.html of a run: one file that holds all there is to see, made from the run folder alone."""

import os
import shlex
from pathlib import Path
from statistics import median
from typing import Any

from gan_cli.report.html import Markup, page, section, tag
from gan_cli.report.panels import curves_of
from gan_cli.report.pictures import embedded, thinned
from gan_cli.report.records import Frame, Record, finite_values
from gan_cli.report.settings import nested, settings_of
from gan_cli.report.words import compact, duration, moment, number

FRAMES = 12
PICTURES = 2_000_000  # bytes of all frames; base64 makes 2.7 MB of them


def write_report(folder: Path) -> Path:
    """folder/report.html, replaced in one go."""
    record = Record.read(folder)
    path = folder / "report.html"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(page(f"{folder.name} - gan_cli report", *content(record)), "utf-8")
    os.replace(temporary, path)
    return path


def content(record: Record) -> list[Markup]:
    return [
        header(record),
        tag(
            "main",
            tag("div", *tiles(record), class_="tiles"),
            scores(record),
            findings(record),
            *film_strips(record),
            section("Curves", *curves_of(record)) if record.series else None,
            metric_cards(record),
            settings(record),
            environment(record),
        ),
    ]


def header(record: Record) -> Markup:
    card = record.card
    config = card.get("config", {})
    loss = config.get("loss", {}).get("adversarial", {}).get("name")
    nets = [net.get("name") for net in config.get("model", {}).get("networks", {}).values()]
    words = [", ".join(map(str, nets)), loss, config.get("dataset", {}).get("name")]
    if "started" in card:
        words.append(moment(card["started"]))
    title = tag("h1", record.folder.name, status_pill(record.status))
    told = tag("p", " \u00b7 ".join(str(word) for word in words if word), class_="muted")
    return tag("header", title, told, failure(record.status))


def tone(status: str) -> tuple[str, str]:
    """A short word for a status, and the class that colours it."""
    if status in ("finished", "running", "not started"):
        return status, "good" if status == "finished" else "quiet"
    return ("stopped", "warn") if status.startswith("stopped by") else ("failed", "bad")


def status_pill(status: str) -> Markup:
    word, colour = tone(status)
    return tag("span", word, class_=f"pill {colour}")


def failure(status: str) -> Markup | None:
    word, colour = tone(status)
    return tag("p", status, class_=f"failure {colour}") if status != word else None


def tile(name: str, value: str, note: str | None = None, main: bool = False) -> Markup:
    small = tag("small", note) if note else None
    inside = tag("dt", name), tag("dd", value, small)
    return tag("dl", *inside, class_="main" if main else None)


def tiles(record: Record) -> list[Markup]:
    card, found = record.card, []
    if best := record.objective:
        note = f"best, at step {number(best.step)}"
        if best.name in card.get("last", {}):
            value, step = card["last"][best.name]
            note += f" \u00b7 last {number(value)} at {number(step)}"
        found.append(tile(best.name, number(best.value), note, main=True))
    if "step" in card:
        asked = card.get("config", {}).get("steps")
        note = f"of {number(asked)}" if asked else None
        found.append(tile("steps", number(card["step"]), note))
    if speeds := finite_values(record.series.get("images_per_second", [])):
        images = f"{compact(card['images'])} images" if "images" in card else None
        found.append(tile("images/s", number(round(median(speeds), 1)), images))
    if "ended" in card and "started" in card:
        resumed = card.get("resumed_at")
        note = f"since step {number(resumed)}" if resumed else None
        found.append(tile("duration", duration(card["ended"] - card["started"]), note))
    if sizes := card.get("parameters"):
        note = " + ".join(f"{compact(count)} {role}" for role, count in sizes.items())
        found.append(tile("parameters", compact(sum(sizes.values())), note))
    return found


def scores(record: Record) -> Markup | None:
    """All metrics, best and last, where there are more than the tile shows."""
    last, best = record.card.get("last", {}), record.card.get("best", {})
    if len(last) < 2:
        return None
    head = tag("tr", *(tag("th", word) for word in ("metric", "best", "step", "last", "step")))
    rows = (
        tag("tr", tag("th", name), *(tag("td", number(n)) for n in (*best.get(name, "--"), *pair)))
        for name, pair in last.items()
    )
    table = tag("div", tag("table", head, *rows, class_="numbers"), class_="scroll")
    return section("Metrics", table)


def findings(record: Record) -> Markup:
    if not record.findings:
        return section("Findings", tag("p", "No findings.", class_="none"))
    return section("Findings", *map(finding, record.findings))


def finding(found: dict[str, Any]) -> Markup:
    active = found.get("active", True)
    span = f"from step {number(found.get('step', '?'))}"
    span += " to the end" if active else f" to {number(found.get('last', '?'))}"
    title = tag("h3", str(found.get("name", "")).replace("_", " "), tag("small", span))
    numbers = found.get("numbers") or {}
    chips = (tag("li", f"{key} ", tag("b", number(value))) for key, value in numbers.items())
    advice = found.get("advice") or []
    advice = [advice] if isinstance(advice, str) else advice
    return tag(
        "article",
        title,
        tag("p", str(found.get("text", ""))),
        tag("ul", *chips, class_="chips") if numbers else None,
        *(tag("p", tag("b", "Try "), str(line), class_="advice") for line in advice),
        class_="finding active" if active else "finding",
    )


def film_strips(record: Record) -> list[Markup]:
    strips = {name: thinned(frames, FRAMES) for name, frames in record.frames.items()}
    budget = PICTURES // max(1, sum(map(len, strips.values())))
    return [film_strip(name, frames, budget) for name, frames in strips.items()]


def film_strip(name: str, frames: list[Frame], budget: int) -> Markup:
    """The same latents over time; the script turns it into a viewer with a slider."""
    figures = (
        tag(
            "figure",
            embedded(frame.path, budget, f"{name} at step {number(frame.step)}"),
            tag("figcaption", f"step {number(frame.step)}"),
        )
        for frame in frames
    )
    strip = tag("div", *figures, class_="strip", tabindex=0, role="group", aria_label=name)
    note = "the same latents over time" if len(frames) > 1 else None
    return section(name.replace("_", " ").capitalize(), strip, note=note)


def metric_cards(record: Record) -> Markup | None:
    if not record.metric_cards:
        return None
    cards = (tag("div", nested(card), class_="card") for card in record.metric_cards)
    return section("Metric cards", tag("div", *cards, class_="cards"))


def settings(record: Record) -> Markup | None:
    if not record.card.get("config"):
        return None
    words = record.job.get("overrides") or record.card.get("command", [])[1:]
    command = shlex.join(["gan-train", *(word.removeprefix("++") for word in words)])
    return section(
        "Settings",
        tag("p", "To repeat it:", class_="muted"),
        tag("pre", command, class_="command", tabindex=0),
        settings_of(record.card["config"], record.overrides),
        note="marked: what was typed",
    )


def environment(record: Record) -> Markup | None:
    keys = ("device", "processes", "seed", "platform", "commit", "versions", "data")
    facts = {key: record.card[key] for key in keys if key in record.card}
    return section("Environment", nested(facts)) if facts else None
