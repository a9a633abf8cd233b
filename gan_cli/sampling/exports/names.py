"""File names for formats with one file per sample."""

import re

from gan_cli.sampling.exports.export import DrawnSamples


def file_names(drawn: DrawnSamples) -> list[str]:
    """Returns names such as seed-00007, or seed-00007-label-cat for labelled samples."""
    names = [f"seed-{seed:05d}" for seed in drawn.seeds]
    if drawn.label_names is None:
        return names
    safe = (re.sub(r"[^\w.+-]+", "_", label) for label in drawn.label_names)
    return [f"{name}-label-{label}" for name, label in zip(names, safe, strict=True)]
