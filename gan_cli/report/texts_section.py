"""Samples that are text, beside lines of the data."""

from pathlib import Path

from gan_cli.report.html import Markup, section, tag
from gan_cli.report.records import DATA, Record, of_data
from gan_cli.report.words import number

LARGEST = 20_000  # characters of a text; those of a run are shorter


def texts(record: Record) -> list[Markup]:
    """A section for each preview of texts: those of its last step, and lines of the data."""
    found = []
    for name in sorted(record.frames):
        last = record.frames[name][-1]
        told = None if of_data(name) else written(last.path)
        if told is None:
            continue
        data = [frame.path for frame in record.frames.get(name.replace("samples", DATA), [])]
        columns = [column(f"step {number(last.step)}", told)]
        for text in filter(None, map(written, data[:1])):
            columns.insert(0, column("data", text))
        title = f"{name.replace('_', ' ').capitalize()} as text"
        found.append(section(title, tag("div", *columns, class_="texts")))
    return found


def column(title: str, text: str) -> Markup:
    return tag("figure", tag("pre", text, tabindex=0), tag("figcaption", title))


def written(picture: Path) -> str | None:
    """The text beside a picture; None if there is none, or it cannot be read."""
    try:
        return picture.with_suffix(".txt").read_text("utf-8")[:LARGEST]
    except (OSError, UnicodeDecodeError):
        return None
