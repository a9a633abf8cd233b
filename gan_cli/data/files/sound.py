"""Decodes sound files: WAV, FLAC, OGG, MP3 and what else libsndfile reads."""

import io
import struct
from dataclasses import dataclass

import numpy as np

from gan_cli.data.kinds.audio import FULL_SCALE

BLOCK = 1 << 16  # frames that are decoded at a time
MOST_VALUES = 2**29  # of a file that is decoded whole, 2 GiB of float32: 1.5 hours of 48 kHz stereo
UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # what streams write in front of sound whose length is not known
SUFFIXES = (
    ".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64",
    ".wav",
)  # fmt: skip


@dataclass(frozen=True)
class Sound:
    """A decoded file."""

    values: np.ndarray  # float32 (C, T), 1 is full scale
    rate: int  # in Hz


def read_sound(data: bytes, seconds: float | None = None) -> Sound:
    """Decodes a sound file, or only its first `seconds`; ValueError says what is wrong with it.

    The length that the header declares is not needed. Blocks are read in order, since libsndfile
    cannot seek in a FLAC file without a length.
    """
    import soundfile

    if not data:
        raise ValueError("empty file")
    check_whole(data)
    try:
        with soundfile.SoundFile(io.BytesIO(with_length(data))) as file:
            file.seekable = lambda: False  # read() would seek to where it is
            most = MOST_VALUES // file.channels
            wanted = most if seconds is None else min(most, int(seconds * file.samplerate) + 1)
            blocks, held = [], 0
            while held < wanted and len(block := next_block(file, wanted - held)):
                blocks.append(block)
                held += len(block)
            if seconds is None and held == most:
                raise ValueError(f"more than {most / file.samplerate / 3600:.1f} hours; split it")
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise ValueError(said_by(error)) from None
    if not held:
        raise ValueError("no sound: 0 seconds")
    values = np.concatenate(blocks).T  # (C, T)
    if not np.isfinite(values).all():
        raise ValueError("NaN or infinity among its values")
    return Sound(values, rate)


def next_block(file: "object", wanted: int) -> np.ndarray:
    """Returns up to BLOCK frames (T, C) float32; none at the end."""
    block: np.ndarray = file.read(min(BLOCK, wanted), dtype="float32", always_2d=True)  # type: ignore[attr-defined]
    return block


def said_by(error: Exception) -> str:
    """What libsndfile says, without the repeated name of an object in memory."""
    text = str(getattr(error, "error_string", error)).strip().rstrip(".")
    if "not recognised" in text or "unknown format" in text.lower():
        return "not a sound file that can be read"
    return text.removeprefix("Error : ")


def wav_chunk(data: bytes) -> tuple[int, int] | None:
    """Where the samples of a WAV file start, and how many bytes its header declares."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    place = 12
    while place + 8 <= len(data):
        size = struct.unpack_from("<I", data, place + 4)[0]
        if data[place : place + 4] == b"data":
            return place + 8, size
        place += 8 + size + size % 2
    return None


def with_length(data: bytes) -> bytes:
    """The file, with the length of its samples written into a WAV header that lacks it."""
    found = wav_chunk(data)
    if found is None or found[1] not in UNKNOWN_LENGTHS or found[0] >= len(data):
        return data
    start, _ = found
    return data[: start - 4] + struct.pack("<I", len(data) - start) + data[start:]


def check_whole(data: bytes) -> None:
    """Raises ValueError for a WAV file that ends before the length that its header declares.

    libsndfile would read the rest. Lengths near the largest number stand for unknown ones.
    """
    found = wav_chunk(data)
    if found is None or found[1] in UNKNOWN_LENGTHS or found[1] >= 0x7FFFF000:
        return
    start, size = found
    if start + size > len(data):
        raise ValueError(f"truncated: {len(data) - start:,} of {size:,} bytes of sound")


def mixed(values: np.ndarray, channels: int) -> np.ndarray:
    """Sound (C, T) with one channel, the mean of all, or with two, equal ones if it has one."""
    if len(values) == channels:
        return values
    if channels == 1:
        return values.mean(0, keepdims=True)
    if len(values) == 1:
        return np.repeat(values, channels, 0)
    raise ValueError(f"{len(values)} channels; type dataset.channels=1, which takes their mean")


def resampled(values: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Sound (C, T) at another rate, by soxr at its high quality, which removes aliases."""
    import soxr

    if rate == to:
        return values
    made: np.ndarray = soxr.resample(np.ascontiguousarray(values.T), rate, to)
    return made.T


def to_int16(values: np.ndarray) -> np.ndarray:
    """Sound in the stored form of the kind: 1 is full scale, louder sound is clipped."""
    scaled = np.rint(values * FULL_SCALE)
    return scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
