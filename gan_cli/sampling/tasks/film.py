"""A training as a film: the pictures that it took of the same latents, one after the other."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_cli.report.records import Frame, find_frames
from gan_cli.sampling.exports import enlarged, rgb, save_gif, save_mp4
from gan_cli.sampling.generate import output_folder
from gan_cli.sampling.request import SampleConfig
from gan_cli.utils.errors import ConfigError, StorageError

SECONDS, SLOWEST, FASTEST = 10, 2, 20  # a film takes, pictures a second
HELD = 2  # seconds that the last picture stays
CAPTION = 22  # pixels below each picture that tell its step
WRITERS = {"gif": save_gif, "mp4": save_mp4}


def film(config: SampleConfig, run: Path) -> str:
    """<name>.gif of all samples/<name>-<step>.png of the run."""
    taken = find_frames(run / "samples")
    if not taken:
        raise ConfigError(f"run: {run} has no pictures; every.preview says when they are taken")
    last = max(frames[-1].step for frames in taken.values())
    folder = output_folder(config.output, run, last)
    lines = [f"{run}: step {last}"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frames in taken.items():
            fps = min(max(len(frames) // SECONDS, SLOWEST), FASTEST)
            shown = projected(frames)
            shown += shown[-1:] * HELD * fps
            lines += [str(WRITERS[f](folder / f"{name}.{f}", shown, fps)) for f in config.formats]
    except OSError as error:
        raise StorageError(
            f"cannot write to {folder}: {error.strerror or error}; type output=FOLDER for another"
        ) from error
    return "\n".join(lines)


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
