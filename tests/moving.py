"""Videos and animations for tests, and a model that enlarges them without a network."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from gan_cli.sampling.moving import clip_of, is_video, translate_clip
from gan_cli.sampling.photos import OneFile
from gan_cli.utils.video import Clip, Frame, Mp4Writer

NTSC = Fraction(30_000, 1001)


def steps(count: int, rate: Fraction, size=(12, 16), least=0):
    """Plain frames that become lighter."""
    for i in range(count):
        pixels = np.full((*size, 3), least + 200 * i // count, np.uint8)
        yield Frame(pixels, i / rate, (i + 1) / rate)


def film(path: str, count: int = 5, rate: Fraction = NTSC, sound: bool = False, **colours) -> None:
    clip = Clip(iter(()), None, rate, 1 / rate, colours)
    with open(path, "wb") as file:
        writer = Mp4Writer(file, clip)
        if sound:
            import av

            stream = writer.container.add_stream("aac", rate=48_000)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 48_000
        for frame in steps(count, rate):
            writer.add(frame)
        if sound:
            writer.container.mux([*stream.encode(silence), *stream.encode()])
        writer.close()


def read(path) -> tuple[list[np.ndarray], list[float], object]:
    """Frames, times and the stream of a video, by PyAV alone."""
    import av

    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        stream = container.streams.video[0]
        found = [frame.to_ndarray(format="rgb24") for frame in frames]
        return found, [frame.time for frame in frames], stream.average_rate


class Doubling:
    """Stands for a model that enlarges twice."""

    channels, classes, factor = 3, None, 2

    def output(self, given):
        return given.colours.repeat(2, 0).repeat(2, 1)


def translated(path: str, target: str) -> Path:
    data = b"" if is_video(path) else Path(path).read_bytes()
    clip = clip_of(OneFile(Path(path)), path, data, False)
    translate_clip(Doubling(), clip, path, Path(target), False)
    return Path(target)
