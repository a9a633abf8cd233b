"""Translates or enlarges photos and videos of any size: gan-sample input=FILE or FOLDER."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from rich.progress import track

from gan_cli.data.files.archive import Archive
from gan_cli.data.files.unreadable import reason
from gan_cli.sampling.comparison import SHOWN, Part, comparison, part
from gan_cli.sampling.exports import PHOTO_FORMATS
from gan_cli.sampling.model import Model
from gan_cli.sampling.moving import (
    UnreadableError,
    clip_of,
    is_video,
    moves,
    suffix_of,
    translate_clip,
)
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.photo_files import PNG, OutputNames, kept_suffix, save_photo
from gan_cli.sampling.photos import Photo, photos_of, with_alpha
from gan_cli.sampling.task import Job
from gan_cli.sampling.translator import Translator
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import save_png
from gan_cli.utils.video import Clip

SHEET = "comparison.png"
log = logging.getLogger("gan_cli")


def translates(model: Model, options: SampleOptions, target: str) -> bool:
    """Whether `input` holds images that the model makes images of, as files of any size."""
    keys, fields = model.game.inputs(target), model.spec.fields
    if options.input is None or options.input.endswith(".npz") or len(keys) != 1:
        return False
    return fields[keys[0]].kind == "image" and fields[target].kind == "image"


class Outputs:
    """Writes the output of one file after the other into a folder; remembers the first ones."""

    def __init__(
        self, job: Job, translator: Translator, archive: Archive, names: list[str]
    ) -> None:
        self.folder, self.translator, self.archive = job.folder, translator, archive
        self.format: str | None = next(iter(job.options.formats), None)
        self.names = OutputNames(names, SHEET, kept=self.format == "input")
        self.alone = len(names) == 1
        self.parts: list[Part] = []

    def write(self, name: str) -> str:
        """Writes the output of a file and returns its name; raises UnreadableError."""
        data, clip, photo = b"", None, None
        try:
            if not is_video(name):
                data = self.archive.read(name)
            clip = clip_of(self.archive, name, data, self.translator.classes is not None)
            photo = self.translator.read(data) if clip is None else None
        except Exception as error:  # Pillow and zipfile raise many types for damaged files
            raise UnreadableError(reason(error)) from error
        if photo is not None:
            return self.write_photo(name, photo)
        assert clip is not None
        return self.write_clip(name, clip)

    def write_photo(self, name: str, photo: Photo) -> str:
        output = self.translator.output(photo)
        made = with_alpha(output, photo.alpha)
        own = PurePosixPath(name).suffix if self.format == "input" else PNG
        file = self.names.of(name, kept_suffix(own, made, photo.profile))
        save_photo(self.folder / file, made, photo.profile)
        self.show(photo, output)
        return file

    def write_clip(self, name: str, clip: Clip) -> str:
        suffix = suffix_of(name, self.format)
        file = self.names.of(name, suffix)
        try:
            first = translate_clip(self.translator, clip, name, self.folder / file, self.alone)
        except UnreadableError:
            shutil.rmtree(self.folder / file, ignore_errors=True)
            raise
        self.show(*first)
        return file

    def show(self, photo: Photo, output: np.ndarray) -> None:
        if len(self.parts) < SHOWN:
            self.parts.append(part(photo.colours, output, self.translator.factor))


def translate_photos(job: Job, target: str) -> list[str]:
    """Writes an output for each photo and video, under its name, and a sheet of comparisons.

    Photos, and the frames of videos, are read and written one by one.
    """
    options = job.options
    check_unread(options)
    assert options.input is not None
    archive, names = photos_of(options.input)
    names = names[: options.count]
    outputs = Outputs(job, Translator(job.model, options, target), archive, names)
    if outputs.format in ("mp4", "gif") and not any(moves(archive, name) for name in names):
        raise ConfigError(
            f"format: '{outputs.format}' is for videos and animations, and the input has none; "
            "type format=png, or format=input for the formats of the photos"
        )
    written, broken = list[str](), dict[str, str]()
    for name in track(names, "photos", disable=len(names) < 2, transient=True):
        try:
            written.append(str(job.folder / outputs.write(name)))
        except UnreadableError as error:
            broken[name] = str(error)
    report_broken(broken, len(names))
    save_png(job.folder / SHEET, comparison(outputs.parts))
    shown = "input, output" if outputs.translator.factor == 1 else "input, bicubic, output"
    return [*shortened(written), f"{job.folder / SHEET}: {shown}"]


def check_unread(options: SampleOptions) -> None:
    """Raises ConfigError for options that do nothing with photos."""
    wrong = [key for key in ("columns", "interpolate") if getattr(options, key)]
    if options.truncation is not None:
        raise ConfigError("truncation: does nothing with photos; leave it out")
    if len(options.seeds or (0,)) > 1:
        raise ConfigError("seeds: photos are made with one seed; type seeds=0")
    if wrong:
        raise ConfigError(f"{wrong[0]}: does nothing with photos; leave it out")
    if len(options.formats) > 1 or not {*options.formats} <= {*PHOTO_FORMATS}:
        raise ConfigError(
            f"format: outputs of photos are written as one of {', '.join(PHOTO_FORMATS)}; "
            "leave it out for png"
        )


def report_broken(broken: dict[str, str], total: int) -> None:
    """Logs which files are no images; ConfigError if none is."""
    lines = [f"{name}: {why}" for name, why in broken.items()]
    if len(broken) == total:
        raise ConfigError(f"input: {'; '.join(shortened(lines))}")
    for line in shortened(lines):
        log.warning("left out %s", line)


def shortened(lines: Sequence[str], most: int = 16) -> list[str]:
    """Returns at most `most` lines, and the number of those left out."""
    more = len(lines) - most
    return list(lines) if more <= 0 else [*lines[:most], f"... ({more} more)"]
