"""Names of files that hold one sample each."""

import re

from gan_cli.sampling.exports.export import Drawing


def file_names(drawing: Drawing) -> list[str]:
    """seed-00007, or seed-00007-label-cat: the seed and, of labelled samples, the class."""
    names = [f"seed-{seed:05d}" for seed in drawing.seeds]
    if drawing.label_names is None:
        return names
    safe = (re.sub(r"[^\w.+-]+", "_", label) for label in drawing.label_names)
    return [f"{name}-label-{label}" for name, label in zip(names, safe, strict=True)]
