"""Files beside the checkpoints of a run: JSON, and what happens if one of them is damaged."""

import json
import logging
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any, NamedTuple

log = logging.getLogger("gan_cli")


class Row(NamedTuple):
    """A line of metrics.jsonl."""

    step: int
    values: dict[str, Any]
    line: bytes


def set_aside(path: Path, rest: str = "the run continues without it") -> Path:
    """Renames a damaged file or folder to NAME.damaged, and logs a line; returns the new path."""
    names = chain(["damaged"], (f"damaged-{n}" for n in count(2)))
    paths = (path.with_name(f"{path.name}.{name}") for name in names)
    free = next(new for new in paths if not new.exists() and not new.is_symlink())
    path.rename(free)
    log.warning("%s is damaged; it is now %s, and %s", path, free.name, rest)
    return free


def read_object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, {} if there is no file, None if it holds anything else."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return found if isinstance(found, dict) else None


def read_rows(content: bytes) -> Iterator[Row | None]:
    """The lines of metrics.jsonl, None for each that is not one; empty lines are left out."""
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        step = values.get("step") if isinstance(values, dict) else None
        yield Row(step, values, line) if type(step) is int else None
