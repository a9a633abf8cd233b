"""What a metric is, what features are, and what the one gets to see of the other."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor

from gan_cli.config.registry import Registry
from gan_cli.data.ground_truth import Density, Modes
from gan_cli.metrics.frechet import Moments


@dataclass(frozen=True)
class Embedded:
    """A batch as a feature map sees it."""

    features: Tensor  # (N, D) float32
    logits: Tensor | None = None  # (N, classes), of feature maps that classify


class Features(Protocol):
    """Built from (dataset, device) and its config keys; ConfigError if it cannot be had.

    `dataset` lends its spec, and to features that learn from data its samples and labels.
    """

    name: str  # as it is shown: an instance may say more than its class
    kinds: ClassVar[frozenset[str]]  # of samples that it takes
    classifies: ClassVar[bool]  # are there logits?

    def __call__(self, samples: Tensor) -> Embedded:
        """uint8 (N, C, H, W), or vectors (N, F) float32, on the features' device."""
        ...

    def describe(self) -> dict[str, Any]:
        """What a metric card says of them, such as {"weights": sha256, "resize": "tf"}.

        Together with the name this identifies the function: it is part of a cache's key.
        """
        ...


@dataclass(frozen=True)
class Collected:
    """One side of a comparison, on the CPU; None where no metric needs it."""

    count: int | None  # None: of saved statistics that do not tell
    moments: Moments | None = None  # streamed: their memory does not grow with count
    features: Tensor | None = None  # (N, D) float32
    logits: Tensor | None = None  # (N, classes) float32
    labels: Tensor | None = None  # (N,) int64
    samples: Tensor | None = None  # (N, *shape), uint8 images or float32 vectors
    modes: Modes | None = None
    density: Density | None = None
    judged: Tensor | None = None  # (N,) float32, logits of a critic of single samples, if any


Need = Literal["moments", "features", "logits", "labels", "samples", "modes", "density", "judged"]


class Metric(Protocol):
    """Built from its config keys alone; ConfigError if they make no sense."""

    needs: ClassVar[frozenset[Need]]
    lower_is_better: ClassVar[bool]  # of the first value
    featured: ClassVar[bool]  # do its values depend on the features? Then they carry their name

    @property
    def minimum(self) -> int:
        """Samples a side that it cannot do without."""
        ...

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        """Values by name; the first is the one that a sweep or `best` goes by."""
        ...


extractors: Registry[Features] = Registry("features")
metrics: Registry[Metric] = Registry("metric")

PUBLISHED = {
    "fd": "fid",
    "fd_infinity": "fid_infinity",
    "kd": "kid",
    "kd_std": "kid_std",
    "is": "is",
    "is_std": "is_std",
    "class_fd": "class_fid",
    "worst_class_fd": "worst_class_fid",
}


def shown(value: str, features: str) -> str:
    """The name of a value: only the published Inception network makes an FID, KID or IS."""
    if features == "inception" and value in PUBLISHED:
        return PUBLISHED[value]
    return f"{value}_{features}"
