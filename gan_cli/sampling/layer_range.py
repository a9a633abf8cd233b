"""Layers of a generator that have latents of their own: layers=coarse, 0-3 or 0-3,6."""

import re
from typing import Any

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import several
from gan_cli.utils.text import unknown

THIRDS = ("coarse", "middle", "fine")


def layers_of(value: Any, count: int) -> list[int]:
    """Returns the numbers of layers, of `count` in all, which are counted from 0.

    coarse, middle and fine are thirds of them; None means all.
    """
    if value is None:
        return list(range(count))
    chosen = {number for item in several(value) for number in one(str(item), count)}
    if not chosen:
        raise ConfigError("layers: names none; type layers=coarse, or layers=0-3")
    return sorted(chosen)


def one(item: str, count: int) -> range:
    """Returns the layers that one word of the list means."""
    if item in THIRDS:
        third = THIRDS.index(item)
        return range(-(-third * count // 3), -(-(third + 1) * count // 3))  # rounded up
    found = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", item)
    if found is None:
        known = unknown("choice", item, THIRDS)
        raise ConfigError(f"layers: {known}; or numbers, as in layers=0-3 or layers=0-3,6")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ConfigError(f"layers: {item} runs backwards; type layers={last}-{first}")
    if last >= count:
        raise ConfigError(f"layers: {last} is too large; the generator has layers 0 to {count - 1}")
    return range(first, last + 1)
