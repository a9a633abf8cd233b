"""format=jsonl: an object for each text, one a line."""

from pathlib import Path
from typing import Any

from gan_cli.sampling.exports.export import DrawnSamples, export
from gan_cli.utils.files import write_text


@export("jsonl", kinds=["tokens"])
def write_jsonl(folder: Path, drawn: DrawnSamples) -> list[Path]:
    """Writes samples.jsonl: {"seed": 0, "text": "...", "tokens": [...]}, in the order of seeds."""
    import json

    from gan_cli.data.kinds.tokens import texts_of

    texts = texts_of(drawn.field, drawn.samples)
    rows: list[dict[str, Any]] = [
        {"seed": seed, "text": text, "tokens": tokens}
        for seed, text, tokens in zip(drawn.seeds, texts, drawn.samples.tolist(), strict=True)
    ]
    for row, label in zip(rows, drawn.label_names or (), strict=False):
        row["label"] = label
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    return [write_text(folder / "samples.jsonl", "\n".join(lines) + "\n")]
