"""task=film: a training as a film, from the pictures that it took of the same seeds."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_cli.report.records import Frame, find_frames
from gan_cli.sampling.task import Job, task
from gan_cli.utils.clips import enlarged, rgb, save_gif, save_mp4
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

SECONDS, SLOWEST, FASTEST = 10, 2, 20  # length of a film, pictures a second
HELD = 2  # seconds that the last picture stays
CAPTION = 22  # pixels below each picture that show its step
WRITERS = {"gif": save_gif, "mp4": save_mp4}


@task("film", needs=[], keys=["format"])
def film(job: Job) -> list[str]:
    """<name>.gif of all samples/<name>-<step>.png of the run. No network draws anything."""
    formats = job.options.formats or ["gif"]
    for name in formats:
        if name not in WRITERS:
            raise ConfigError(f"format: {unknown('format of films', name, WRITERS)}")
    taken = find_frames(job.source / "samples")
    if not taken:
        raise ConfigError(
            f"run: {job.source} has no pictures; every.preview sets how often they are taken"
        )
    last = max(frames[-1].step for frames in taken.values())
    lines = [f"{job.source}: step {last}"]
    for name, frames in taken.items():
        fps = min(max(len(frames) // SECONDS, SLOWEST), FASTEST)
        shown = projected(frames)
        shown += shown[-1:] * HELD * fps
        lines += [str(WRITERS[f](job.folder / f"{name}.{f}", shown, fps)) for f in formats]
    return lines


def projected(frames: list[Frame]) -> list[np.ndarray]:
    """Pictures (height, width, 3), each with its step below."""
    images = [Image.open(frame.path) for frame in frames]
    size = images[-1].size  # of all of them, unless the run was resumed with other settings
    pictures = [rgb(np.atleast_3d(np.asarray(image.resize(size)))) for image in images]
    return [
        captioned(enlarged(picture), f"step {frame.step:,}")
        for picture, frame in zip(pictures, frames, strict=True)
    ]


def captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """(height, width, 3) with the text on white below it."""
    strip = Image.new("RGB", (picture.shape[1], CAPTION), "white")
    place = (strip.width / 2, CAPTION / 2)
    ImageDraw.Draw(strip).text(place, text, "black", ImageFont.load_default(13), "mm")
    return np.concatenate([picture, np.asarray(strip)])
