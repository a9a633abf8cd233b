"""NumPy archives that tasks write."""

from pathlib import Path

import numpy as np

from gan_cli.sampling.inputs import Inputs


def labels_of(inputs: Inputs) -> dict[str, np.ndarray]:
    """Names (N,), and labels (N,) if there are any."""
    labels = {} if inputs.labels is None else {"labels": inputs.labels.numpy()}
    return {"names": np.array(inputs.names), **labels}


def write_npz(file: Path, arrays: dict[str, np.ndarray]) -> str:
    """The file's name, for a report."""
    np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub has allow_pickle
    return str(file)
