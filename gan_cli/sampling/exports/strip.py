"""format=strip: interpolations as rows of images."""

from pathlib import Path

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.sampling.exports.pictures import is_picture


@export("strip", kinds=["image"], walk=True, shows=is_picture)
def write_strip(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes strip.png, with a row for each pair of consecutive seeds."""
    import torch

    from gan_cli.utils.images import grid, save_png

    assert drawn.between is not None
    stride = drawn.between + 1
    starts = range(0, len(drawn.samples) - 1, stride)
    rows = torch.cat([drawn.samples[start : start + stride + 1] for start in starts])
    save_png(folder / "strip.png", grid(rows, stride + 1))
    return [folder / "strip.png"]
