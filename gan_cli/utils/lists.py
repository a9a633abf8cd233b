"""Lists as they are typed on a command line."""

from typing import Any


def several(value: Any) -> list[Any]:
    """One value or a list of them; "3,5" on a command line is a list."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    return list(value) if isinstance(value, list | tuple) else [value]
