"""format=grid: all images in one picture."""

from pathlib import Path

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.sampling.exports.pictures import is_picture


@export("grid", kinds=["image"], shows=is_picture)
def write_grid(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes grid.png, row by row."""
    from gan_cli.utils.images import grid, save_png

    save_png(folder / "grid.png", grid(drawn.samples, drawn.columns))
    return [folder / "grid.png"]
