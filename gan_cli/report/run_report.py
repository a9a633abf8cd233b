"""report.html of a run: a self-contained page, written from the content of the run folder."""

import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan_cli.report.findings_section import findings
from gan_cli.report.headline import header, scores, tiles
from gan_cli.report.html import Markup, page, section, tag
from gan_cli.report.panels import curve_panels
from gan_cli.report.pictures_section import embed_image, evenly_spaced
from gan_cli.report.recordings import player
from gan_cli.report.records import AUGMENTED, DATA, Frame, Record, is_augmented, of_data
from gan_cli.report.settings_section import nested, settings_of
from gan_cli.report.texts_section import texts
from gan_cli.report.words import number
from gan_cli.utils.files import write_text

log = logging.getLogger("gan_cli")

FRAMES = 12
# Numbers of frames for which pictures have a size of their own, so that reports of a growing run
# encode a picture at most this many times.
GROWTH = (1, 4, FRAMES)
PICTURES = 2_000_000  # bytes of all frames, which are 2.7 MB in base64


def refresh(folder: Path) -> None:
    """Writes the report; an error is only logged, so that it hides no result and no other error."""
    try:
        write_report(folder)
    except Exception as error:  # of any kind: training does not need the report
        log.warning("%s: no report.html: %s: %s", folder, type(error).__name__, error)


def write_report(folder: Path) -> Path:
    """Writes folder/report.html atomically and returns its path."""
    record = Record.read(folder)
    text = page(f"{folder.name} - gan_cli report", *content(record))
    return write_text(folder / "report.html", text, durable=False)


def content(record: Record) -> list[Markup | None]:
    """The sections of the report."""
    return [
        header(record),
        tag(
            "main",
            tag("div", *tiles(record), class_="tiles"),
            scores(record),
            findings(record),
            *film_strips(record),
            *texts(record),
            section("Curves", *curve_panels(record)) if record.series else None,
            metric_cards(record),
            settings(record),
            environment(record),
        ),
    ]


def film_strips(record: Record) -> list[Markup]:
    """A film strip for each preview, all together within the budget of bytes."""
    names = sorted(record.frames, key=is_augmented)  # these last
    strips = {name: evenly_spaced(record.frames[name], FRAMES) for name in names}
    most = (next(n for n in GROWTH if n >= len(strip)) for strip in strips.values())
    budget = PICTURES // max(1, sum(most))
    data = {name: strips.pop(name) for name in list(strips) if of_data(name)}
    beside = {name: data.get(data_of(name), []) for name in strips}
    data = {name: frames for name, frames in data.items() if frames not in beside.values()}
    shown = [film_strip(name, strips[name], beside[name], budget) for name in strips]
    return [*shown, *(film_strip(name, frames, [], budget) for name, frames in data.items())]


def data_of(name: str) -> str:
    """The name of the pictures of data that are shown beside those of this name."""
    return name.replace("samples", DATA).replace(AUGMENTED, DATA)


def film_strip(name: str, frames: list[Frame], data: list[Frame], budget: int) -> Markup:
    """Pictures of the same latents over time, which the script shows with a slider.

    Those of `data` are shown beside them.
    """
    strip = tag(
        "div",
        *figures(name, frames, budget),
        class_="strip",
        tabindex=0,
        role="group",
        aria_label=name,
    )
    if data:
        strip = tag("div", *figures(DATA, data, budget), strip, class_="beside")
    note = "the same latents over time" if len(frames) > 1 else None
    if is_augmented(name):
        note = "the data as the critic sees them"
    return section(name.replace("_", " ").capitalize(), strip, note=note)


def figures(name: str, frames: list[Frame], budget: int) -> Iterator[Markup]:
    """A figure for each picture, with its step; pictures of data are those of step 0."""
    for frame in frames:
        words = "data" if of_data(name) else f"step {number(frame.step)}"
        alt = f"{name} at step {number(frame.step)}"
        yield tag(
            "figure",
            embed_image(frame.path, budget, alt),
            player(frame.path.with_suffix(".wav"), alt),
            tag("figcaption", words),
        )


def metric_cards(record: Record) -> Markup | None:
    """A section with all metric cards, None if there are none."""
    if not record.metric_cards:
        return None
    cards = (metric_card(name, card) for name, card in record.metric_cards.items())
    return section("Metric cards", tag("div", *cards, class_="cards"))


def metric_card(name: str, card: dict[str, Any]) -> Markup:
    """The values of a metric card, and what they depend on in a collapsed block."""
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
    """A section with the command and the config, in which overrides are marked."""
    if not record.card.get("config"):
        return None
    words = record.job.get("overrides") or record.card.get("command", [])[1:]
    command = shlex.join(["gan-train", *(word.removeprefix("++") for word in words)])
    return section(
        "Settings",
        tag("p", "To repeat it:", class_="muted"),
        tag("pre", command, class_="command", tabindex=0),
        settings_of(record.card["config"], record.overrides),
        note="overrides are marked",
    )


def environment(record: Record) -> Markup | None:
    """A section with device, versions and data."""
    keys = ("device", "processes", "seed", "platform", "commit", "versions", "data")
    facts = {key: record.card[key] for key in keys if key in record.card}
    return section("Environment", nested(facts)) if facts else None
