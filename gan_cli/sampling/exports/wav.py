"""format=wav: a file for each sound."""

import wave
from pathlib import Path

from gan_cli.sampling.exports.export import Drawing, export


@export("wav", kinds=["audio"])
def write_wav(folder: Path, drawing: Drawing) -> list[Path]:
    """seed-00007.wav, 16 bits at the sample rate of the data."""
    from gan_cli.sampling.exports.names import file_names

    assert drawing.field.sample_rate is not None
    files = [folder / f"{name}.wav" for name in file_names(drawing)]
    for file, sound in zip(files, drawing.samples.cpu(), strict=True):  # (C, T) int16
        with wave.open(str(file), "wb") as writer:
            writer.setnchannels(len(sound))
            writer.setsampwidth(2)
            writer.setframerate(drawing.field.sample_rate)
            writer.writeframes(sound.T.contiguous().numpy().astype("<i2").tobytes())
    return files
