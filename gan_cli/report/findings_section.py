"""The section of a report on the verdict and the findings of the health monitor."""

from typing import Any

from gan_cli.report.html import Markup, section, tag
from gan_cli.report.records import Record
from gan_cli.report.words import number

VERDICTS = {  # state: (words, class)
    "fine": ("Fine", "good"),
    "finding": ("Active", "bad"),
    "too_early": ("Too early to judge", "warn"),
    "off": ("Not monitored", "muted"),
}


def findings(record: Record) -> Markup:
    """The verdict on a run, and all its findings, also those that have passed."""
    return section("Health", verdict(record), *map(finding, record.findings))


def verdict(record: Record) -> Markup:
    """The verdict in words; green only if the run was judged and nothing was found."""
    state = str(record.health.get("state", ""))
    if state not in VERDICTS:
        return tag("p", "There is no verdict on this run.", class_="muted")
    words, look = VERDICTS[state]
    return tag("p", tag("b", words, class_=look), f": {record.health.get('text', '')}")


def finding(found: dict[str, Any]) -> Markup:
    """A finding: its text, the numbers that it is based on, and advice."""
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
        tag("ul", *(tag("li", str(line)) for line in advice), class_="advice") if advice else None,
        class_="finding active" if active else "finding",
    )
