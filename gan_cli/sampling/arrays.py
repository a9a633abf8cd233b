"""NumPy archives written by tasks."""

from pathlib import Path

import numpy as np

from gan_cli.sampling.inputs import Inputs
from gan_cli.utils.arrays import write_arrays


def labels_of(inputs: Inputs) -> dict[str, np.ndarray]:
    """Returns arrays of names (N,), and of labels (N,) if there are any."""
    labels = {} if inputs.labels is None else {"labels": inputs.labels.numpy()}
    return {"names": np.array(inputs.names), **labels}


def write_npz(file: Path, arrays: dict[str, np.ndarray]) -> str:
    """Writes arrays to an npz file; returns its path for the report."""
    return str(write_arrays(file, arrays))
