"""task=film: a video of the training, made from the pictures of previews."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_cli.report.records import Frame, find_frames, of_data
from gan_cli.sampling.task import Job, task
from gan_cli.utils.clips import enlarged, rgb, save_gif, save_mp4
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

SECONDS = 10  # length of a film
SLOWEST, FASTEST = 2, 20  # bounds of the pictures per second
HELD = 2  # seconds for which the last picture is shown
CAPTION = 22  # height in pixels of the caption, which shows the step
WRITERS = {"gif": save_gif, "mp4": save_mp4}


@task("film", needs=[], keys=["format"])
def film(job: Job) -> list[str]:
    """Writes <name>.gif from the previews samples/<name>-<step>.png of a run, not of data."""
    formats = job.options.formats or ["gif"]
    for name in formats:
        if name not in WRITERS:
            raise ConfigError(f"format: {unknown('format of films', name, WRITERS)}")
    found = find_frames(job.source / "samples").items()
    series = {name: frames for name, frames in found if not of_data(name)}
    if not series:
        raise ConfigError(
            f"run: {job.source} has no pictures; every.preview sets how often they are drawn"
        )
    last = max(frames[-1].step for frames in series.values())
    lines = [f"{job.source}: step {last}"]
    for name, frames in series.items():
        fps = min(max(len(frames) // SECONDS, SLOWEST), FASTEST)
        pictures = captioned_frames(frames)
        pictures += pictures[-1:] * HELD * fps
        lines += [str(WRITERS[f](job.folder / f"{name}.{f}", pictures, fps)) for f in formats]
    return lines


def captioned_frames(frames: list[Frame]) -> list[np.ndarray]:
    """Returns pictures (height, width, 3) of one size, each with its step below it."""
    images = [Image.open(frame.path) for frame in frames]
    size = images[-1].size  # sizes differ if the run was resumed with other settings
    pictures = [rgb(np.atleast_3d(np.asarray(image.resize(size)))) for image in images]
    return [
        captioned(enlarged(picture), f"step {frame.step:,}")
        for picture, frame in zip(pictures, frames, strict=True)
    ]


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """Returns `picture` (height, width, 3) with the text on white below it."""
    strip = Image.new("RGB", (picture.shape[1], CAPTION), "white")
    place = (strip.width / 2, CAPTION / 2)
    ImageDraw.Draw(strip).text(place, text, "black", ImageFont.load_default(13), "mm")
    return np.concatenate([picture, np.asarray(strip)])
