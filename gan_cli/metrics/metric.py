"""Protocols of metrics and features, and the collected samples that a metric compares."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli.config.registry import Registry
from gan_cli.data.ground_truth import Density, Modes
from gan_cli.data.spec import Field
from gan_cli.metrics.frechet import Moments
from gan_cli.metrics.latents import Latents
from gan_cli.metrics.likelihoods import Likelihood
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.utils.errors import NonFiniteError

PART = 2**25  # numbers of the samples embedded at a time: 170 images of 3 x 256 x 256


@dataclass(frozen=True)
class Embedded:
    """Features of a batch, and class logits if the features have them."""

    features: Tensor  # (N, D) float32
    logits: Tensor | None = None  # (N, classes), of features that classify


class Features(Protocol):
    """Features are built from (dataset, device) and config keys; raise ConfigError if unavailable.

    Most features use only the spec of `dataset`; those that learn use its samples and labels.
    """

    name: str  # suffix of the names of values; an instance may refine that of its class
    kinds: ClassVar[frozenset[str]]  # kinds of samples that are accepted
    classifies: ClassVar[bool]  # whether there are class logits

    def __call__(self, samples: Tensor) -> Embedded:
        """Embeds uint8 images (N, C, H, W) or float32 vectors (N, F) on the features' device."""
        ...

    def describe(self) -> dict[str, Any]:
        """Entries of a metric card, such as {"weights": sha256, "resize": "tf"}.

        Together with the name they identify the function; they are part of cache keys.
        """
        ...


def at_a_time(shape: tuple[int, ...]) -> int:
    """Returns how many samples of this shape are embedded at a time, which bounds the memory."""
    return max(1, PART // max(1, math.prod(shape)))


def embed(features: Features, samples: Tensor) -> Embedded:
    """Returns the features of samples, with the numerics of evaluation, a few large ones a time."""
    with exact_numerics(samples.device):
        parts = [features(part) for part in samples.split(at_a_time(samples.shape[1:]))]
    if len(parts) == 1:
        return parts[0]
    found = [part.features for part in parts]
    logits = [part.logits for part in parts if part.logits is not None]
    return Embedded(torch.cat(found), torch.cat(logits) if logits else None)


@dataclass(frozen=True)
class Collected:
    """One side of a comparison, real or generated, on the CPU; None where no metric needs it."""

    count: int | None  # None: unknown, of saved statistics
    moments: Moments | None = None  # accumulated: memory does not grow with count
    features: Tensor | None = None  # (N, D) float32
    logits: Tensor | None = None  # (N, classes) float32
    labels: Tensor | None = None  # (N,) int64
    samples: Tensor | None = None  # (N, *shape), uint8 images or float32 vectors
    modes: Modes | None = None
    density: Density | None = None
    critic_logits: Tensor | None = None  # (N,) float32, if the critic takes single samples
    pairs: tuple[Tensor, Tensor] | None = None  # outputs of held-out inputs, and what is true
    latents: Latents | None = None  # of generated samples
    likelihood: Likelihood | None = None  # of the data, by the model of generated samples
    pair_inputs: Tensor | None = None  # the first of the held-out inputs, in stored form


Need = Literal[
    "moments", "features", "logits", "labels", "samples", "modes", "density", "critic_logits",
    "pairs", "latents", "likelihood",
]  # fmt: skip


class Metric(Protocol):
    """A metric is built from its config keys alone; it raises ConfigError if they are invalid."""

    needs: ClassVar[frozenset[Need]]
    lower_is_better: ClassVar[bool]  # of the first value
    featured: ClassVar[bool]  # whether values depend on the features, and so carry their name

    @property
    def minimum(self) -> int:
        """Smallest number of real and of generated samples."""
        ...

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        """Values by name; the first one decides `best` and is what a sweep optimizes."""
        ...


@runtime_checkable
class Opens(Protocol):
    """A metric with a network of its own, which is built before anything is trained or drawn."""

    def open(self, field: Field, device: torch.device) -> None:
        """Builds it for samples of a field; raises ConfigError if weights are missing."""
        ...


@runtime_checkable
class HasProtocol(Protocol):
    """A metric whose way of measuring is stated in metric cards, beyond its options."""

    def protocol(self, field: Field) -> dict[str, Any]:
        """Returns entries in which comparable cards are equal."""
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


def value_name(value: str, features: str) -> str:
    """The name of a value; only the published Inception network gives FID, KID and IS."""
    if features == "inception" and value in PUBLISHED:
        return PUBLISHED[value]
    return f"{value}_{features}"


def check_finite(found: Mapping[str, Tensor | None], start: int) -> None:
    """Raises NonFiniteError at the first row that is not finite of samples, features or logits.

    `start` is the number of rows in the batches before this one.
    """
    for key in ("samples", "features", "logits"):
        rows = found.get(key)
        if rows is None or rows.isfinite().all():
            continue
        row = start + int((~rows.flatten(1).isfinite().all(1)).nonzero()[0])
        raise NonFiniteError(f"{key} are not finite, first in row {row} (counted from 0)")


@contextmanager
def naming_side(side: str) -> Iterator[None]:
    """Adds to a NonFiniteError which side of the comparison it is about."""
    try:
        yield
    except NonFiniteError as error:
        raise NonFiniteError(f"metrics: {side} {error}") from error
