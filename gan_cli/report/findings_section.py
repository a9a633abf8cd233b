"""The section of a report on the findings of the health monitor."""

from typing import Any

from gan_cli.report.html import Markup, section, tag
from gan_cli.report.records import Record
from gan_cli.report.words import number


def findings(record: Record) -> Markup:
    """All findings of a run."""
    if "findings" not in record.card:
        return section("Findings", tag("p", "Health was not monitored.", class_="muted"))
    if not record.findings:
        return section("Findings", tag("p", "No findings.", class_="none"))
    return section("Findings", *map(finding, record.findings))


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
