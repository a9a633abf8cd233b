"""Writes NumPy archives."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gan_cli.utils.files import atomic_file


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes an npz file atomically, and returns its path; raises StorageError."""
    with atomic_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub has allow_pickle
    return path
