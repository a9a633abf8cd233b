"""format=grid: all images in one picture."""

from pathlib import Path

from gan_cli.sampling.exports.export import Drawing, export
from gan_cli.sampling.exports.pictures import is_picture


@export("grid", kinds=["image"], shows=is_picture)
def write_grid(folder: Path, drawing: Drawing) -> list[Path]:
    """grid.png, row by row."""
    from gan_cli.utils.images import grid, save_png

    save_png(folder / "grid.png", grid(drawing.samples, drawing.columns))
    return [folder / "grid.png"]
