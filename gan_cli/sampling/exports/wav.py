"""format=wav and format=flac: a file for each sound, or one for an interpolation."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.utils.files import atomic_file

if TYPE_CHECKING:
    import numpy as np

Write = Callable[[IO[bytes], "np.ndarray", int], None]  # a sound int16 (C, T) at a rate in Hz


@export("wav", kinds=["audio"], walk=None)
def write_wav(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes seed-00007.wav, 16 bits at the sample rate of the data; of interpolations walk.wav."""
    from gan_cli.utils.wav import write_wav_file

    return write_sounds(folder, drawn, "wav", write_wav_file)


@export("flac", kinds=["audio"], walk=None, shows=lambda field: field.shape[0] <= 8)
def write_flac(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes the same as FLAC, which loses nothing and takes about half the space."""
    import soundfile

    def write(file: IO[bytes], sound: "np.ndarray", rate: int) -> None:
        soundfile.write(file, sound.T, rate, format="FLAC", subtype="PCM_16")

    return write_sounds(folder, drawn, "flac", write)


def write_sounds(folder: Path, drawn: DrawnSamples, suffix: str, write: Write) -> list[Path]:
    """Writes a file for each sound, or one with all sounds of a walk, and returns them."""
    from gan_cli.data.kinds.audio import sample_rate
    from gan_cli.sampling.exports.names import file_names

    rate = sample_rate(drawn.field)
    sounds = list(drawn.samples.cpu().numpy())  # (C, T) int16
    if drawn.between is None:
        files = [folder / f"{name}.{suffix}" for name in file_names(drawn)]
    else:
        sounds, files = [joined(drawn)], [folder / f"walk.{suffix}"]
    for path, sound in zip(files, sounds, strict=True):
        with atomic_file(path, durable=False) as file:
            write(file, sound, rate)
    return files


def joined(drawn: DrawnSamples) -> "np.ndarray":
    """The sounds of a walk one after another, int16 (C, N * T); a loop ends before its first."""
    sounds = drawn.samples[:-1] if drawn.loop else drawn.samples
    joined: np.ndarray = sounds.cpu().transpose(0, 1).flatten(1).numpy()
    return joined
