"""Elements that the reports of runs and of sweeps share."""

from gan_cli.report.html import Markup, tag


def tone(status: str) -> tuple[str, str]:
    """A word for the status, and the CSS class of its colour."""
    if status in ("finished", "running", "not started"):
        return status, "good" if status == "finished" else "quiet"
    return ("stopped", "warn") if status.startswith("stopped by") else ("failed", "bad")


def status_pill(status: str) -> Markup:
    """The status in one word."""
    word, colour = tone(status)
    return tag("span", word, class_=f"pill {colour}")


def failure(status: str) -> Markup | None:
    """The full status if it is an error, else None."""
    word, colour = tone(status)
    return tag("p", status, class_=f"failure {colour}") if status != word else None


def tile(name: str, value: str, note: str | None = None, main: bool = False) -> Markup:
    """A value with its name and a note; the `main` one is larger."""
    small = tag("small", note) if note else None
    inside = tag("dt", name), tag("dd", value, small)
    return tag("dl", *inside, class_="main" if main else None)
