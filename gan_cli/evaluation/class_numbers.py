"""Class numbers of two sides that count the same classes in another order."""

from collections.abc import Sequence

import torch
from torch import Tensor


def class_name_errors(real: Sequence[str], fake: Sequence[str]) -> list[str]:
    """Returns an error if both sides name their classes, and not the same ones."""
    only = sorted(set(real) ^ set(fake))
    if not real or not fake or not only:
        return []
    names = ", ".join(only[:5]) + (", ..." if len(only) > 5 else "")
    return [
        "fake: metrics within classes need the same classes on both sides, and only one side has "
        f"{names}; rename its folders, or leave these metrics out"
    ]


def renumbered(labels: Tensor, names: Sequence[str], others: Sequence[str]) -> Tensor:
    """Returns labels (N,) of the classes `names` as numbers of the same names in `others`.

    Without names on both sides the numbers stay; so does -1, the label of unknown classes.
    """
    if not names or not others or tuple(names) == tuple(others):
        return labels
    table = torch.tensor([*(others.index(name) for name in names), -1])
    return table[labels]
