"""What the program asks of a kind of samples, wherever the answer depends on the kind.

Samples have two forms: the stored form of data sets, files and metrics (images are uint8), and
the model form that networks take and make (images are float32 in [-1, 1]).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.registry import Registry
from gan_cli.data.ground_truth import Density
from gan_cli.data.spec import Field


@dataclass(frozen=True)
class Context:
    """What a preview may show beside the samples."""

    real: Tensor | None = None  # samples of the data, model form
    density: Density | None = None  # of the data, if known
    critic: Callable[[Tensor], Tensor | None] | None = None  # logits of single samples


class Kind:
    """A kind of samples; the defaults are those of numbers that need no conversion."""

    features: ClassVar[str] = "identity"  # the default feature map of metrics
    health_features: ClassVar[tuple[str, ...]] = ("identity",)  # spaces in which health measures
    bounded: ClassVar[bool] = False  # do samples lie in [-1, 1]?
    differentiable: ClassVar[bool] = True  # can a penalty differentiate with respect to them?
    previewed: ClassVar[int] = 64  # samples in a preview
    rounding: ClassVar[str] = "none"  # of generated samples before they are scored

    def recognizes(self, stored: Tensor) -> bool:
        """Whether stored samples (N, *shape) look like this kind, if nobody says what they are."""
        raise NotImplementedError

    def to_model(self, stored: Tensor) -> Tensor:
        """Stored samples (N, *shape) in the form that networks take."""
        return stored

    def to_stored(self, samples: Tensor) -> Tensor:
        """Samples (N, *shape) from a network in the form that data sets hold."""
        return samples.float()

    def mirror(self, stored: Tensor, mirrored: Tensor) -> Tensor:  # noqa: ARG002
        """`stored` (N, *shape), flipped left to right where `mirrored` (N,) says so."""
        return stored

    def picture(
        self, field: Field, columns: Sequence[Tensor], context: Context
    ) -> np.ndarray | None:
        """A preview (height, width, C) uint8 of samples in model form; None if there is none.

        Several `columns`, each (N, *shape), are shown side by side, sample by sample.
        """
        raise NotImplementedError

    def default_format(self, field: Field) -> str:  # noqa: ARG002
        """The export format of gan-sample, if none is asked for."""
        return "npz"

    def array_name(self) -> str:
        """The name of an array of samples in npz files."""
        return "samples"

    def to_array(self, stored: Tensor) -> np.ndarray:
        """Stored samples as npz files hold them."""
        return stored.cpu().numpy()

    def from_array(self, array: np.ndarray) -> Tensor:
        """The inverse of `to_array`; ValueError says what is wrong with the array."""
        return torch.from_numpy(array)


class KindRegistry(Registry[Kind]):
    """Kinds are stateless: the registry builds each once."""

    def register(self, name: str) -> Callable[[type[Kind]], type[Kind]]:
        def decorate(cls: type[Kind]) -> type[Kind]:
            super(KindRegistry, self).register(name)(cls())
            return cls

        return decorate


kinds = KindRegistry("kind of samples")


def kind_of(field: Field) -> Kind:
    kind: Kind = kinds.find({"name": field.kind}, "spec")
    return kind


def recognized(stored: Tensor) -> str:
    """The name of the kind that stored samples (N, *shape) look like; ValueError if of none."""
    for name, kind in kinds.entries.items():
        if kind.recognizes(stored):
            return name
    raise ValueError(
        f"look like no kind of samples: {stored.dtype} {tuple(stored.shape)}; images are uint8 "
        "(N, C, H, W), vectors float32 (N, F), sounds int16 (N, C, T), tokens int64 (N, T)"
    )
