"""Samples in NumPy archives, as written by gan-sample and published with papers."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from gan_cli.data.dataset import Dataset
from gan_cli.data.files.arrays import read_npz
from gan_cli.data.kinds import kinds, recognized
from gan_cli.data.kinds.kind import Kind
from gan_cli.data.label_values import label_numbers
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.utils.errors import ConfigError

IMAGES = ("images", "arr_0")  # the names in files of gan-sample, and in those of papers
LABELS = ("labels", "label", "arr_1")


def read_samples(path: Path, where: str, field: Field | None = None) -> Dataset:
    """Returns the samples of a file as a data set; `field` describes them, if known."""
    try:
        return samples_of(read_npz(path, where), field)
    except ConfigError as error:
        faults = (f if f.startswith(f"{where}:") else f"{where}: {path}: {f}" for f in error.faults)
        raise ConfigError(*faults) from None


def samples_of(arrays: Mapping[str, np.ndarray], field: Field | None = None) -> Dataset:
    """Returns a data set of images (N, H, W, C) uint8 or other samples (N, *shape).

    Labels are optional: whole numbers or names, one for each sample.
    """
    name = next((key for key in (*IMAGES, "samples") if key in arrays), None)
    if name is None:
        raise ConfigError(
            f"holds {', '.join(arrays) or 'nothing'}; expected mu and sigma (statistics), "
            f"{' or '.join(IMAGES)} (images) or samples (of other kinds)"
        )
    array = arrays[name]
    if array.size == 0:
        raise ConfigError(f"{name} is empty")
    try:
        samples = kind_in(array, name, field).from_array(array)
    except TypeError:  # a dtype unknown to torch
        raise ConfigError(f"{name} are of type {array.dtype}, and must be numbers") from None
    except ValueError as error:
        raise ConfigError(f"{name} {error}") from None
    name, labels = next(
        ((key, arrays[key]) for key in LABELS if key in arrays and key != name), ("", None)
    )
    if labels is None:
        return InMemory({"real": samples}, field=field)
    try:
        numbers, names = label_numbers(labels, len(samples))
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None
    classes = len(names) or int(numbers.max()) + 1
    return InMemory({"real": samples, "label": numbers}, classes, names, field=field)


def kind_in(array: np.ndarray, name: str, field: Field | None) -> Kind:
    """Returns the kind of the samples in an array."""
    if field is not None:
        kind = field.kind
    else:
        kind = "image" if name in IMAGES else recognized(torch.from_numpy(array))
    found: Kind = kinds.entries[kind]
    return found
