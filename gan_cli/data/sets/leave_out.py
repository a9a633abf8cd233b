"""Excludes classes from a labelled data set, e.g. to hold them out for anomaly detection."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown


def leave_out(
    tensors: dict[str, Tensor], without: Sequence[str], class_names: Sequence[str]
) -> dict[str, Tensor]:
    """Returns `tensors` without the samples of these classes; the others keep their numbers."""
    wrong = [name for name in without if name not in class_names]
    if wrong:
        raise ConfigError(f"dataset.without: {unknown('class', wrong[0], class_names)}")
    if set(without) == set(class_names):
        raise ConfigError("dataset.without: names all classes; leave one in")
    if not without:
        return tensors
    numbers = torch.tensor([class_names.index(name) for name in without])
    kept = ~torch.isin(tensors["label"], numbers)
    return {key: values[kept] for key, values in tensors.items()}
