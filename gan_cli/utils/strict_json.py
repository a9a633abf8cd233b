"""JSON as its standard has it, which knows no infinity and no NaN.

They are written as the texts "Infinity", "-Infinity" and "NaN". Readers accept these texts, and the
bare words that Python and earlier versions write, where they expect a number.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli.utils.files import write_text

WORDS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def dumps(value: Any, indent: int | None = None) -> str:
    """The JSON of plain containers; what JSON does not know is written as its text."""
    return json.dumps(finite(value), indent=indent, default=str, allow_nan=False)


def write_json(path: Path, value: Any) -> Path:
    """Writes a JSON file atomically, and returns its path; raises StorageError."""
    return write_text(path, dumps(value, indent=2) + "\n")


def finite(value: Any) -> Any:
    """The value with texts in place of numbers that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {finite(key): finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def numbers(value: Any) -> Any:
    """The inverse of `finite`, for containers that hold numbers but no texts."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return WORDS.get(value, value) if isinstance(value, str) else value
