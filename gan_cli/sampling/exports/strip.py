"""format=strip: walks as rows of images."""

from pathlib import Path

from gan_cli.sampling.exports.export import Drawing, export
from gan_cli.sampling.exports.pictures import is_picture


@export("strip", kinds=["image"], walk=True, shows=is_picture)
def write_strip(folder: Path, drawing: Drawing) -> list[Path]:
    """strip.png, a row for each pair of neighbouring seeds, from the one to the other."""
    import torch

    from gan_cli.utils.images import grid, save_png

    assert drawing.between is not None
    stride = drawing.between + 1
    starts = range(0, len(drawing.samples) - 1, stride)
    rows = torch.cat([drawing.samples[start : start + stride + 1] for start in starts])
    save_png(folder / "strip.png", grid(rows, stride + 1))
    return [folder / "strip.png"]
