"""What the values of metric cards depend on, and in what it differs between cards."""

from collections.abc import Mapping, Sequence
from typing import Any


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested mappings as one with joined keys: {"a": {"b": 1}} as {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + str(key)] = value
    return found


def unequal(cards: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Returns the protocol entries and options of common metrics in which cards differ.

    An entry that a card lacks, such as the truncation of a folder of images, is not compared.
    """
    shared = set.intersection(*(set(card["metrics"]) for card in cards))
    trees = [
        flat({**card["protocol"], "metrics": {k: card["metrics"][k] for k in sorted(shared)}})
        for card in cards
    ]
    common = [key for key in trees[0] if all(key in tree for tree in trees)]
    columns = {key: [tree[key] for tree in trees] for key in common}
    return {key: row for key, row in columns.items() if any(value != row[0] for value in row)}
