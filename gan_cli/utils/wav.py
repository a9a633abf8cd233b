"""WAV files of 16 bits."""

import wave
from io import BytesIO
from typing import IO

import numpy as np


def write_wav_file(file: IO[bytes], sound: np.ndarray, rate: int) -> None:
    """Writes a sound int16 (C, T) at `rate` Hz."""
    with wave.open(file, "wb") as writer:
        writer.setnchannels(len(sound))
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(np.ascontiguousarray(sound.T).astype("<i2").tobytes())


def wav_bytes(sound: np.ndarray, rate: int) -> bytes:
    """Returns the content of a file with a sound int16 (C, T)."""
    file = BytesIO()
    write_wav_file(file, sound, rate)
    return file.getvalue()
