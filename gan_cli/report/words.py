"""Formats numbers and times."""

import math
import time
from typing import Any


def number(value: Any) -> str:
    """Four significant digits; integers in full, with separators."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and 1e3 <= abs(value) < 1e12):
        return f"{int(value):,}"
    return f"{value:.4g}"


def compact(value: float) -> str:
    """A short form for axes: 2k, 1.5M, 0.05, 1e-6."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if factor <= abs(value) < 1e12:
            return f"{value / factor:.4g}{unit}"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+", "e")


def duration(seconds: float) -> str:
    """A duration such as 1 h 02 min, 34 min, 3 min 20 s or 4.1 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest:02d} s" if minutes < 10 else "")
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(seconds: float) -> str:
    """Local date and time of a POSIX time stamp."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def finite(value: Any) -> bool:
    """Whether `value` is a finite number."""
    return isinstance(value, int | float) and math.isfinite(value)
