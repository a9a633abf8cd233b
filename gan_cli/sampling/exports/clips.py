"""format=gif and format=mp4: interpolations as animations."""

from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.sampling.exports.pictures import is_picture

if TYPE_CHECKING:
    import numpy as np

FPS = 20  # GIF durations are multiples of 0.01 s


@export("gif", kinds=["image"], walk=True, shows=is_picture)
def write_gif(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes walk.gif, an endless loop."""
    from gan_cli.utils.clips import save_gif

    return [save_gif(folder / "walk.gif", frames_of(drawn), FPS)]


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
    from gan_cli.utils.clips import save_mp4

    return [save_mp4(folder / "walk.mp4", frames_of(drawn), FPS)]


def frames_of(drawn: DrawnSamples) -> list["np.ndarray"]:
    """Returns the frames of a walk; a loop ends before its first frame, which comes next."""
    from gan_cli.data.kinds import kind_of
    from gan_cli.utils.clips import clip

    samples = drawn.samples[:-1] if drawn.loop else drawn.samples
    return clip(kind_of(drawn.field).to_array(samples))
