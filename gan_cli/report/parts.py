"""What the pages of runs and of sweeps share."""

from gan_cli.report.html import Markup, tag


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
