"""Embeds recordings in a page, with a player."""

import base64
from pathlib import Path

from gan_cli.report.html import Markup, tag

LARGEST = 1_000_000  # bytes; those of a run are smaller


def player(path: Path, name: str) -> Markup | None:
    """A player of the WAV file beside a picture; None if there is none, or it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if not data.startswith(b"RIFF") or len(data) > LARGEST:
        return None
    uri = f"data:audio/wav;base64,{base64.b64encode(data).decode()}"
    return tag("audio", controls=True, preload="metadata", src=uri, aria_label=name)
