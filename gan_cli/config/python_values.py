"""Converts Python values to overrides in Hydra's syntax."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli.config.compose import group_names
from gan_cli.config.override_checks import SEVERAL
from gan_cli.config.quoting import quoted
from gan_cli.utils.errors import ConfigError

RESERVED = re.compile("true|false|null|inf|nan", re.IGNORECASE)  # not strings to Hydra


def typed(settings: Mapping[str, Any]) -> list[str]:
    """Returns keyword arguments as overrides: groups by name, other values in Hydra's syntax."""
    words = []
    for key, value in settings.items():
        if key in SEVERAL and isinstance(value, list | tuple):
            words.append(f"{key}=[{','.join(map(str, value))}]")
        elif key in group_names("train"):
            if not isinstance(value, str | None):
                raise ConfigError(
                    f"{key}: is a group of which one is chosen by name; type {key}=NAME, and its "
                    f'keys as "{key}.KEY=VALUE"'
                )
            # Quoted names are not checked by Hydra, so plain ones stay unquoted.
            plain = value is None or re.fullmatch(r"[\w.-]+", value, re.ASCII)
            words.append(f"{key}={(value or 'null') if plain else hydra_value(value)}")
        else:
            words.append(f"{key}={hydra_value(value)}")
    return words


def hydra_value(value: Any) -> str:
    """Returns a Python value in Hydra's syntax."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{hydra_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple | range):
        return "[" + ",".join(map(hydra_value, value)) + "]"
    if isinstance(value, str | Path):
        text = str(value)
        plain = re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) and not RESERVED.fullmatch(text)
        return text if plain else quoted(text)
    return str(value)
