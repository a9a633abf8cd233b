"""format=png: a file for each image."""

from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.sampling.exports.export import DrawnSamples, export

if TYPE_CHECKING:
    from gan_cli.data.spec import Field


def is_picture(field: "Field") -> bool:
    """Returns whether images are gray, RGB or RGBA."""
    return field.shape[0] in (1, 3, 4)


@export("png", kinds=["image"], shows=is_picture)
def write_png(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes seed-00007.png, or seed-00007-label-cat.png for a labelled sample."""
    from gan_cli.data.kinds import kind_of
    from gan_cli.sampling.exports.names import file_names
    from gan_cli.utils.images import save_png

    files = [folder / f"{name}.png" for name in file_names(drawn)]
    pictures = kind_of(drawn.field).to_array(drawn.samples)
    for file, picture in zip(files, pictures, strict=True):
        save_png(file, picture)
    return files
