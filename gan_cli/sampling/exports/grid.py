"""format=grid: all images in one picture."""

from pathlib import Path

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.sampling.exports.pictures import is_picture


@export("grid", kinds=["image"], shows=is_picture)
def write_grid(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes grid.png, row by row; with the names of classes, if there are any, class by class."""
    from gan_cli.utils.images import grid, save_png
    from gan_cli.utils.named_grid import named_grid

    if drawn.named and drawn.label_names is not None:
        picture = named_grid(drawn.samples, drawn.label_names, drawn.columns)
    else:
        picture = grid(drawn.samples, drawn.columns)
    save_png(folder / "grid.png", picture)
    return [folder / "grid.png"]
