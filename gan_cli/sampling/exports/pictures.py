"""format=png: a file for each image, or for the picture of each sound."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.sampling.exports.export import DrawnSamples, export

if TYPE_CHECKING:
    import numpy as np

    from gan_cli.data.spec import Field


def is_picture(field: "Field") -> bool:
    """Returns whether images are gray, RGB or RGBA; sounds are shown as spectrograms."""
    return field.kind == "audio" or field.shape[0] in (1, 3, 4)


@export("png", kinds=["image", "audio"], shows=is_picture)
def write_png(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes seed-00007.png, or seed-00007-label-cat.png for a labelled sample.

    That of a sound has its waveform and its spectrogram.
    """
    from gan_cli.data.kinds import Context, kind_of
    from gan_cli.sampling.exports.names import file_names
    from gan_cli.utils.images import save_png

    files = [folder / f"{name}.png" for name in file_names(drawn)]
    kind, field = kind_of(drawn.field), drawn.field
    pictures: Iterable[np.ndarray] = kind.to_array(drawn.samples)
    if field.kind == "audio":
        sounds = kind.to_model(drawn.samples).split(1)
        pictures = (shown(kind.picture(field, [sound], Context())) for sound in sounds)
    for file, picture in zip(files, pictures, strict=True):
        save_png(file, picture)
    return files


def shown(picture: "np.ndarray | None") -> "np.ndarray":
    assert picture is not None, "sounds have pictures"
    return picture
