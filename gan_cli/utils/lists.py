"""Lists as they are typed on a command line."""

from typing import Any

LISTS = (
    *("seeds", "styles", "layers", "label", "anomalous", "attribute", "format", "imports"),
    "truncations",
)
ALWAYS = ("truncations",)


def several(value: Any) -> list[Any]:
    """One value or a list of them; "3,5" on a command line is a list."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    return list(value) if isinstance(value, list | tuple) else [value]


def as_list(word: str) -> str:
    """Returns seeds=3,7 as seeds=[3,7], since Hydra interprets the former as a sweep.

    Keys that are always lists also get brackets around a single value.
    """
    key, equals, value = word.partition("=")
    single = key in ALWAYS and value not in ("", "null")
    listed = key in LISTS and (single or "," in value) and value[0] not in "[\"'"
    return f"{key}{equals}[{value}]" if listed else word
