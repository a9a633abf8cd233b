"""format=txt: a line of text for each sample."""

from pathlib import Path

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.utils.files import write_text


@export("txt", kinds=["tokens"])
def write_txt(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes samples.txt (UTF-8) in the order of the seeds; line breaks are shown as an arrow."""
    from gan_cli.data.kinds.tokens import lines_of

    lines = lines_of(drawn.field, drawn.samples)
    return [write_text(folder / "samples.txt", "\n".join(lines) + "\n")]
