"""Labels as files and arrays hold them: one whole number or one name for each sample."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

LARGEST = 100_000  # classes; networks and classifiers allocate memory for each

ADVICE = "labels are whole numbers counted from 0, or names"


def row_name(row: int) -> str:
    """Returns how errors call a row of an array."""
    return f"row {row} (counted from 0)"


def label_numbers(
    values: Any, count: int, name_of: Callable[[int], str] = row_name
) -> tuple[Tensor, tuple[str, ...]]:
    """Returns labels (count,) int64, and the sorted names of the classes if `values` are names.

    `values` is a list or an array (count,) or (count, 1). Floats that are whole are accepted, and
    so are names that are numbers ("0", "1"). Raises ValueError, in which `name_of` names a row.
    """
    array = flat(as_array(values))
    if len(array) != count:
        raise ValueError(f"there are {len(array)} labels for {count} samples; {one_each(count)}")
    if array.dtype.kind in "USO":
        texts = names_in(array.tolist(), name_of)
        if texts is not None:
            return numbered(texts)
        array = np.array([number_in(v, i, name_of) for i, v in enumerate(array.tolist())])
    if array.dtype.kind not in "biuf":
        raise ValueError(f"labels are of type {array.dtype}, and must be whole numbers or names")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)  # float16 could not be compared with LARGEST
    wrong = np.nonzero(~((array >= 0) & (array < LARGEST) & (array == np.floor(array))))[0]
    if len(wrong):
        raise ValueError(bad_value(array[wrong[0]].item(), name_of(int(wrong[0]))))
    return torch.from_numpy(array.astype(np.int64)), ()


def as_array(values: Any) -> np.ndarray:
    """Returns an array, or an object array of a list, whose entries may be of any type."""
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, np.ndarray):
        return values
    found = np.empty(len(values), object)
    found[:] = list(values)
    return found


def flat(array: np.ndarray) -> np.ndarray:
    """Returns an array (N,); ValueError, with advice for one-hot vectors, for other shapes."""
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 1:
        return array
    if array.ndim == 2 and array.dtype.kind in "biuf" and one_hot(array):
        raise ValueError(f"labels are one-hot vectors {array.shape}; save labels.argmax(1) instead")
    raise ValueError(f"labels have shape {array.shape}; {ADVICE}, one for each sample")


def one_hot(rows: np.ndarray) -> bool:
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all())


def one_each(count: int) -> str:
    return f"give {count}, one for each sample, in the same order"


def names_in(values: Sequence[Any], name_of: Callable[[int], str]) -> list[str] | None:
    """Returns the names if there are any, None if all values are numbers; no mixture of both."""
    texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]
    named = [isinstance(text, str) and not text.isdecimal() for text in texts]
    if not any(named):
        return None
    if not all(isinstance(text, str) for text in texts):
        row = next(i for i, text in enumerate(texts) if not isinstance(text, str))
        raise ValueError(
            f"{name_of(row)} is labelled {texts[row]!r} and {name_of(named.index(True))} "
            f"{texts[named.index(True)]!r}; label all by number, or all by name"
        )
    if any(not text.strip() for text in texts):
        row = next(i for i, text in enumerate(texts) if not text.strip())
        raise ValueError(f"{name_of(row)} has an empty name; {ADVICE}")
    return texts


def numbered(texts: Sequence[str]) -> tuple[Tensor, tuple[str, ...]]:
    """Returns the number of each name among the sorted names."""
    names = tuple(sorted(set(texts)))
    number = {name: i for i, name in enumerate(names)}
    return torch.tensor([number[text] for text in texts], dtype=torch.int64), names


def number_in(value: Any, row: int, name_of: Callable[[int], str]) -> float:
    """Returns a label of any type as a number; ValueError if it is none, or too large."""
    number = int(value) if isinstance(value, str | bytes) else value
    if not isinstance(number, int | float | np.integer | np.floating) or not -1 <= number < LARGEST:
        raise ValueError(bad_value(value, name_of(row)))
    return float(number)


def bad_value(value: Any, where: str) -> str:
    """Returns the error for a label that is no whole number from 0 on."""
    if isinstance(value, list | tuple | np.ndarray):
        advice = "of a one-hot vector give the position of the 1"
    elif isinstance(value, int | float) and value >= LARGEST:
        advice = f"number the classes from 0 without gaps, at most {LARGEST:,} of them"
    else:
        advice = ADVICE
    return f"{where} is labelled {value!r}; {advice}"
