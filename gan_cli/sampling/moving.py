"""Videos and animations through a model, frame by frame."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from rich.progress import track

from gan_cli.data.files.archive import Archive
from gan_cli.data.files.unreadable import reason
from gan_cli.sampling.photo_files import FRAMES, save_photo
from gan_cli.sampling.photos import Photo, as_photo, with_alpha
from gan_cli.sampling.translator import Translator
from gan_cli.utils.animations import ANIMATED, GifWriter, animation
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.files import atomic_file
from gan_cli.utils.video import INSTALL, SUFFIXES, Clip, Frame, Mp4Writer, open_video, readable

CHROMA = 16  # by which the colours of gray frames may differ, since videos are compressed
First = tuple[Photo, np.ndarray]  # the first frame and what became of it
log = logging.getLogger("gan_cli")


class UnreadableError(Exception):
    """A frame that cannot be read."""


class Writer(Protocol):
    def add(self, frame: Frame) -> None: ...
    def close(self) -> None: ...


class PngWriter:
    """Writes each frame as a PNG file of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0

    def add(self, frame: Frame) -> None:
        self.number += 1
        save_photo(self.folder / f"frame-{self.number:06d}.png", frame.pixels, None)

    def close(self) -> None: ...


def clip_of(archive: Archive, name: str, data: bytes, label_maps: bool) -> Clip | None:
    """Returns the frames of a video, or of an animation with the content `data`; None of photos.

    Raises ValueError for a video that cannot be read. Of `label_maps`, the first frame is a photo.
    """
    if not is_video(name):
        return None if label_maps else animation(data)
    if label_maps:
        raise ValueError("is a video, and the model takes label maps")
    if not readable():
        raise ValueError(f"is a video, which needs {INSTALL}")
    path = Path(archive.where(name))
    return open_video(open(path, "rb") if path.is_file() else io.BytesIO(archive.read(name)))


def is_video(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def moves(archive: Archive, name: str) -> bool:
    """Whether a file is a video or an animation."""
    if is_video(name) or not name.lower().endswith(ANIMATED):
        return is_video(name)
    try:
        return animation(archive.read(name)) is not None
    except Exception:  # of a damaged archive, which is told when the file is read
        return False


def suffix_of(name: str, format: str | None) -> str:
    """Returns the suffix of the output of a video or an animation, or of a folder of frames."""
    if format == "png":
        return FRAMES
    wanted = "mp4" if is_video(name) else "gif"
    return f".{format if format in ('mp4', 'gif') else wanted}"


def translate_clip(translator: Translator, clip: Clip, name: str, path: Path, shown: bool) -> First:
    """Writes what becomes of each frame to a file, or a folder; one is held at a time.

    `shown` says whether there is a progress bar. Raises UnreadableError, and leaves no file then.
    """
    first: First | None = None
    number = 0
    frames = track(
        readable_frames(clip, translator.channels), name, clip.count, disable=not shown,
        transient=True,
    )  # fmt: skip
    with opened_writer(path, clip) as writer:
        for frame, photo in frames:
            number += 1
            made = translator.output(photo)
            first = first or (photo, made)
            pixels = with_alpha(in_colour(made, photo), photo.alpha)
            try:
                writer.add(replace(frame, pixels=pixels))
            except ConfigError as error:  # other files may still be written
                raise UnreadableError(str(error)) from error
    if number < (clip.count or 0):
        log.warning("%s: only %d of its %d frames could be read", name, number, clip.count)
    if clip.sound:
        log.warning("%s: its sound is left out", name)
    assert first is not None
    return first


def in_colour(made: np.ndarray, photo: Photo) -> np.ndarray:
    """Returns gray frames with transparency in RGB, since animations have no gray with alpha."""
    gray = made.shape[2] == 1 and photo.alpha is not None
    return made.repeat(3, 2) if gray else made


def readable_frames(clip: Clip, channels: int) -> Iterator[tuple[Frame, Photo]]:
    """Yields the frames, also as a model takes them; whatever goes wrong is UnreadableError."""
    size = None
    try:
        for frame in clip.frames:
            size = size or frame.pixels.shape[:2]
            if frame.pixels.shape[:2] != size:
                raise ValueError("changes the size of its frames; cut it into parts")
            yield frame, as_photo(frame.pixels, channels, tolerance=CHROMA)
    except Exception as error:  # Pillow raises many types for damaged files
        raise UnreadableError(reason(error)) from error


@contextmanager
def opened_writer(path: Path, clip: Clip) -> Iterator[Writer]:
    """The writer of a video or an animation, or of frames if the path has no such suffix."""
    context: Any = (
        nullcontext() if path.suffix not in (".mp4", ".gif") else atomic_file(path, False)
    )
    with context as file:
        writer = writer_of(path, clip, file)
        try:
            yield writer
        except BaseException:
            with suppress(Exception):  # the file is thrown away
                writer.close()
            raise
        writer.close()


def writer_of(path: Path, clip: Clip, file: BinaryIO | None) -> Writer:
    if file is None:
        return PngWriter(path)
    if path.suffix == ".gif":
        return GifWriter(file)
    if not readable():
        raise ConfigError(f"format: 'mp4' needs {INSTALL}")
    return Mp4Writer(file, clip)
