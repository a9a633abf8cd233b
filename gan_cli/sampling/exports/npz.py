"""format=npz: all samples as one NumPy archive."""

from pathlib import Path

import numpy as np

from gan_cli.sampling.exports.export import DrawnSamples, export


@export("npz")
def write_npz(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes samples.npz: images (N, H, W, C) uint8 or samples (N, *shape); seeds, labels (N,)."""
    from gan_cli.data.kinds import kind_of
    from gan_cli.utils.arrays import write_arrays

    kind = kind_of(drawn.field)
    arrays = {"seeds": np.array(drawn.seeds, np.uint64)}
    if drawn.labels is not None:
        arrays["labels"] = np.array(drawn.labels, np.int64)
    arrays[kind.array_name()] = kind.to_array(drawn.samples)
    return [write_arrays(folder / "samples.npz", arrays)]
