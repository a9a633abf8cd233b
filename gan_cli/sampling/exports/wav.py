"""format=wav: a file for each sound."""

import wave
from pathlib import Path

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.utils.files import atomic_file


@export("wav", kinds=["audio"])
def write_wav(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes seed-00007.wav, 16 bits at the sample rate of the data."""
    from gan_cli.data.kinds.audio import sample_rate
    from gan_cli.sampling.exports.names import file_names

    rate = sample_rate(drawn.field)
    files = [folder / f"{name}.wav" for name in file_names(drawn)]
    for path, sound in zip(files, drawn.samples.cpu(), strict=True):  # (C, T) int16
        with atomic_file(path, durable=False) as file, wave.open(file, "wb") as writer:
            writer.setnchannels(len(sound))
            writer.setsampwidth(2)
            writer.setframerate(rate)
            writer.writeframes(sound.T.contiguous().numpy().astype("<i2").tobytes())
    return files
