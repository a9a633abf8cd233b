"""format=npz: all samples as one NumPy archive."""

from pathlib import Path

import numpy as np

from gan_cli.sampling.exports.export import Drawing, export


@export("npz")
def write_npz(folder: Path, drawing: Drawing) -> list[Path]:
    """samples.npz: images (N, H, W, C) uint8 or samples (N, *shape); seeds and labels (N,)."""
    from gan_cli.data.kinds import kind_of

    kind = kind_of(drawing.field)
    arrays = {"seeds": np.array(drawing.seeds, np.uint64)}
    if drawing.labels is not None:
        arrays["labels"] = np.array(drawing.labels, np.int64)
    arrays[kind.array_name()] = kind.to_array(drawing.samples)
    np.savez(folder / "samples.npz", **arrays)  # type: ignore[arg-type]  # its stub has allow_pickle
    return [folder / "samples.npz"]
