"""format=gif and format=mp4: interpolations as animations."""

from pathlib import Path

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.sampling.exports.pictures import is_picture

FPS = 20  # GIF durations are multiples of 0.01 s


@export("gif", kinds=["image"], walk=True, shows=is_picture)
def write_gif(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes walk.gif, an endless loop."""
    from gan_cli.data.kinds import kind_of
    from gan_cli.utils.clips import clip, save_gif

    frames = clip(kind_of(drawn.field).to_array(drawn.samples))
    return [save_gif(folder / "walk.gif", frames, FPS)]


@export(
    "mp4",
    kinds=["image"],
    walk=True,
    modules=("imageio", "av"),
    install="gan-cli[video]",
    shows=is_picture,
)
def write_mp4(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes walk.mp4 (H.264)."""
    from gan_cli.data.kinds import kind_of
    from gan_cli.utils.clips import clip, save_mp4

    frames = clip(kind_of(drawn.field).to_array(drawn.samples))
    return [save_mp4(folder / "walk.mp4", frames, FPS)]
