"""Quotes values for Hydra and for the shell, so that advised commands can be copied."""

import re
import shlex

from gan_cli.utils.text import shown as shown

TEXT_KEYS = {
    *("run", "checkpoint", "input", "output", "real", "fake", "save", "pretrained"),
    *("hydra.sweep.dir", "dataset.source", "dataset.target"),
}
TEXT_LEAVES = {"path", "root", "photos", "inception_weights"}  # last parts of keys that are paths
SPECIAL = set("\"'[]{}()$,\\")  # have a meaning in Hydra's values


def quoted(text: str) -> str:
    """Returns text in quotes; Hydra reads a backslash as an escape only before a quote."""
    escaped = re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"


def is_text_key(key: str) -> bool:
    """Whether the values of `key` are names or paths, and never numbers."""
    name = key.lstrip("+")
    parts = name.split(".")
    return name in TEXT_KEYS or parts[-1] in TEXT_LEAVES or parts[:2] == ["model", "pretrained"]


def typed_word(key: str, value: object) -> str:
    """Returns ``key=value`` as it is typed in a shell, quoted for the shell and for Hydra."""
    text = str(value)
    plain = text not in ("", "null") and not SPECIAL & set(text) and text == text.strip()
    return shlex.quote(f"{key}={text if plain else quoted(text)}")
