"""Pairs image files in two places by their names."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gan_cli.utils.errors import ConfigError

LISTED = 5  # names in an error


@dataclass(frozen=True)
class Matched:
    """Positions of files of equal names on both sides; `names` are without suffixes."""

    names: list[str]
    source: list[int]
    target: list[int]


def matched(
    source: Sequence[str],
    target: Sequence[str],
    skip_unmatched: bool,
    broken: frozenset[str] = frozenset(),
) -> Matched:
    """Pairs the files of two places by their names without suffixes.

    Raises ConfigError, with the names, for files without a partner, unless these are left out or
    the partner is one of the names `broken`, and for two files of a place with one name.
    """
    sides = {"source": by_stem(source, "source"), "target": by_stem(target, "target")}
    names = sorted(sides["source"].keys() & sides["target"].keys())
    faults = []
    for key, other in (("source", "target"), ("target", "source")):
        alone = sorted(sides[key].keys() - sides[other].keys() - broken)
        if alone and (not skip_unmatched or not names):
            faults.append(
                f"dataset.{key}: {listed(alone)} of {len(sides[key])} images without a partner of "
                f"the same name in dataset.{other}; rename them"
                + (", or type dataset.skip_unmatched=true to leave them out" if names else "")
            )
    if faults:
        raise ConfigError(*faults)
    return Matched(names, *([sides[key][name] for name in names] for key in sides))


def by_stem(names: Sequence[str], key: str) -> dict[str, int]:
    """Positions of files by name without suffix; ConfigError if two have the same."""
    found = defaultdict(list)
    for position, name in enumerate(names):
        found[os.path.splitext(name)[0]].append(position)
    double = [positions for positions in found.values() if len(positions) > 1]
    if double:
        shown = "; ".join(" and ".join(names[i] for i in group) for group in double[:LISTED])
        more = f"; and {len(double) - LISTED} more" if len(double) > LISTED else ""
        raise ConfigError(
            f"dataset.{key}: {len(double)} names occur more than once: {shown}{more}; a pair has "
            "one image of each name, whatever its format: remove or rename the others"
        )
    return {stem: positions[0] for stem, positions in found.items()}


def without_suffixes(names: Iterable[str]) -> frozenset[str]:
    return frozenset(os.path.splitext(name)[0] for name in names)


def listed(names: Sequence[str]) -> str:
    """The number of names, and the first of them."""
    more = ", ..." if len(names) > LISTED else ""
    return f"{len(names)} ({', '.join(names[:LISTED])}{more})"
