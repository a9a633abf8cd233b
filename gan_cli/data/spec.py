"""What a data set's samples look like; every network is built to fit it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    """Travels in every checkpoint, so that sampling needs no data set."""

    shape: tuple[int, ...]  # (channels, height, width) of an image, (features,) of a vector
    classes: int = 0  # 0: no labels
    class_names: tuple[str, ...] = ()
    sources: int = 1  # labelled domains of a pair; each is told from the target by itself
