"""WAV files of 16 bits."""

import wave
from io import BytesIO
from pathlib import Path
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


def read_mono(path: Path) -> tuple[np.ndarray, int]:
    """Returns the mean of the channels, float32 (1, T) in [-1, 1], and the rate, of 16 bits."""
    with wave.open(str(path), "rb") as reader:
        data = np.frombuffer(reader.readframes(reader.getnframes()), "<i2")
        sound = data.reshape(-1, reader.getnchannels()).mean(1, dtype=np.float64) / 32768
        return sound.astype(np.float32)[None], reader.getframerate()
