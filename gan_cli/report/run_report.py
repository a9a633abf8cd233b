"""report.html of a run: one file that holds all there is to see, made from the run folder alone."""

import logging
import os
import shlex
from pathlib import Path
from typing import Any

from gan_cli.report.findings_section import findings
from gan_cli.report.headline import header, scores, tiles
from gan_cli.report.html import Markup, page, section, tag
from gan_cli.report.panels import curves_of
from gan_cli.report.pictures_section import embedded, thinned
from gan_cli.report.records import Frame, Record
from gan_cli.report.settings_section import nested, settings_of
from gan_cli.report.words import number

log = logging.getLogger("gan_cli")

FRAMES = 12
PICTURES = 2_000_000  # bytes of all frames; base64 makes 2.7 MB of them


def refresh(folder: Path) -> None:
    """A report that cannot be written hides neither a result nor the error that ended the run."""
    try:
        write_report(folder)
    except Exception as error:  # whatever is in the folder: nothing of it is needed to train
        log.warning("%s: no report.html: %s: %s", folder, type(error).__name__, error)


def write_report(folder: Path) -> Path:
    """folder/report.html, replaced in one go."""
    record = Record.read(folder)
    path = folder / "report.html"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(page(f"{folder.name} - gan_cli report", *content(record)), "utf-8")
    os.replace(temporary, path)
    return path


def content(record: Record) -> list[Markup | None]:
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
    cards = (metric_card(name, card) for name, card in record.metric_cards.items())
    return section("Metric cards", tag("div", *cards, class_="cards"))


def metric_card(name: str, card: dict[str, Any]) -> Markup:
    """Its values, and folded away all that they depend on."""
    rest = {key: value for key, value in card.items() if key not in ("card", "values", "warnings")}
    return tag(
        "div",
        tag("h3", name),
        nested(card.get("values", {})),
        *(tag("p", str(warning), class_="warn") for warning in card.get("warnings", [])),
        tag("details", tag("summary", "What they depend on"), nested(rest)),
        class_="card",
    )


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
