"""Video files, read and written frame by frame by PyAV, which the extra `video` installs."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np

from gan_cli.utils.clips import even, rgb
from gan_cli.utils.errors import ConfigError

SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".webm", ".wmv"),
)
# Containers of frames. Not playlists and the like, which make FFmpeg open other files.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,ogg,asf"
QUALITY = "18"  # CRF of x264, at which losses are hardly seen; its default is 23
UNKNOWN = 2  # matrix of colours that a file does not name
INSTALL = "pip install 'gan-cli[video]'"


@dataclass(frozen=True)
class Frame:
    """A frame upright, and when it is shown, in seconds."""

    pixels: np.ndarray  # (H, W, 3) or, with alpha, (H, W, 4) uint8
    start: Fraction
    stop: Fraction


@dataclass(frozen=True)
class Clip:
    """Frames that are read one by one, and how they were stored."""

    frames: Iterator[Frame]
    count: int | None  # of frames, if known beforehand
    rate: Fraction  # frames per second, on average
    tick: Fraction  # seconds, of which the times of frames are multiples
    colours: dict[str, int]  # attributes of the stream: matrix, primaries, transfer curve, range
    sound: bool = False
    aspect: Fraction | None = None  # width of a pixel by its height, if they are not square


def readable() -> bool:
    """Whether PyAV is installed."""
    return find_spec("av") is not None


def open_video(file: BinaryIO) -> Clip:
    """Opens a video; ValueError if it is none. Errors of frames are raised with the frames."""
    import av

    try:
        container: Any = av.open(file, options={"format_whitelist": CONTAINERS})
    except av.error.FFmpegError as error:
        raise ValueError(f"is no video that can be read ({error.strerror})") from None
    if not container.streams.video:
        raise ValueError("has no pictures, only sound")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = fraction(stream.average_rate) or fraction(stream.guessed_rate) or Fraction(25)
    context = stream.codec_context
    names = ("colorspace", "color_primaries", "color_trc", "color_range")
    colours = {name: int(getattr(context, name)) for name in names}
    sound = len(container.streams.audio) > 0
    tick = fraction(stream.time_base) or 1 / rate
    frames, aspect = decoded(container, file, rate), fraction(context.sample_aspect_ratio)
    return Clip(frames, stream.frames or None, rate, tick, colours, sound, aspect)


def fraction(value: Any) -> Fraction | None:
    """A ratio of PyAV, whose type depends on its version; None if it is not set."""
    return Fraction(value.numerator, value.denominator) if value else None


def decoded(container: Any, file: BinaryIO, rate: Fraction) -> Iterator[Frame]:
    """Yields the frames of the first video stream, turned as the file says."""
    import av

    first, start, stop, count = Fraction(0), Fraction(0), Fraction(0), 0
    try:
        for frame in container.decode(video=0):
            tick = fraction(frame.time_base) or 1 / rate
            time = first + stop if frame.pts is None else frame.pts * tick
            if count == 0:  # a stream may begin late, to keep step with its sound
                first = time
            start = max(time - first, start + tick if count else start)  # some go back in time
            stop = start + (frame.duration * tick if frame.duration else 1 / rate)
            pixels = frame.to_ndarray(format="rgb24")
            count += 1
            yield Frame(np.rot90(pixels, frame.rotation // 90), start, stop)
    except av.error.FFmpegError as error:
        raise ValueError(f"is damaged after {count} frames ({error.strerror})") from None
    finally:
        container.close()
        file.close()
    if count == 0:
        raise ValueError("has no frames")


class Mp4Writer:
    """Writes frames of one size to an open file, as H.264 of the times and colours of a clip."""

    def __init__(self, file: BinaryIO, clip: Clip) -> None:
        import av

        self.container: Any = av.open(file, "w", format="mp4")
        self.clip = clip
        self.stream: Any = None  # begun with the first frame, whose size it has

    def add(self, frame: Frame) -> None:
        """Transparency is put on white; odd sides get one more row or column."""
        import av

        pixels, tick = even(rgb(frame.pixels)), self.clip.tick
        if self.stream is None:
            self.stream = self.started(pixels.shape[0], pixels.shape[1])
        picture: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        matrix = self.clip.colours.get("colorspace", UNKNOWN)
        picture = picture.reformat(
            format="yuv420p", dst_colorspace=None if matrix == UNKNOWN else matrix
        )
        picture.pts, picture.time_base = round(frame.start / tick), tick
        picture.duration = round((frame.stop - frame.start) / tick)
        try:
            self.container.mux(self.stream.encode(picture))
        except av.error.FFmpegError as error:
            size = f"{pixels.shape[1]} x {pixels.shape[0]}"
            raise ConfigError(
                f"format: mp4 holds no frames of {size} ({error.strerror}); type format=png"
            ) from None

    def started(self, height: int, width: int) -> Any:
        stream = self.container.add_stream("libx264", rate=self.clip.rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": QUALITY}
        stream.codec_context.time_base = self.clip.tick
        if self.clip.aspect is not None:
            stream.codec_context.sample_aspect_ratio = self.clip.aspect
        for name, value in self.clip.colours.items():
            setattr(stream.codec_context, name, value)
        return stream

    def close(self) -> None:
        if self.stream is not None:
            self.container.mux(self.stream.encode())
        self.container.close()
