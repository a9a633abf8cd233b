"""format=gif and format=mp4: walks as moving pictures."""

from pathlib import Path

from gan_cli.sampling.exports.export import Drawing, export
from gan_cli.sampling.exports.pictures import is_picture

FPS = 20  # GIF counts in hundredths of a second, of which this is a whole number


@export("gif", kinds=["image"], walk=True, shows=is_picture)
def write_gif(folder: Path, drawing: Drawing) -> list[Path]:
    """walk.gif, which repeats without end."""
    from gan_cli.data.kinds import kind_of
    from gan_cli.utils.clips import clip, save_gif

    frames = clip(kind_of(drawing.field).to_array(drawing.samples))
    return [save_gif(folder / "walk.gif", frames, FPS)]


@export(
    "mp4",
    kinds=["image"],
    walk=True,
    modules=("imageio", "av"),
    install="gan-cli[video]",
    shows=is_picture,
)
def write_mp4(folder: Path, drawing: Drawing) -> list[Path]:
    """walk.mp4, H.264."""
    from gan_cli.data.kinds import kind_of
    from gan_cli.utils.clips import clip, save_mp4

    frames = clip(kind_of(drawing.field).to_array(drawing.samples))
    return [save_mp4(folder / "walk.mp4", frames, FPS)]
