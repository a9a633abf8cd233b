"""The interface of kinds of samples, and their registry.

Samples have two forms: the stored form of data sets, files and metrics (images are uint8), and
the model form of inputs and outputs of networks (images are float32 in [-1, 1]).
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
    """Data that a preview may show in addition to the samples."""

    real: Tensor | None = None  # samples of the data, model form
    density: Density | None = None  # of the data, if known
    critic: Callable[[Tensor], Tensor | None] | None = None  # logits of single samples
    names: Sequence[str] | None = None  # of the classes of the samples, if they have names
    real_name: str = "real"  # what the samples of the data are called in a legend


class Kind:
    """A kind of samples; the defaults are for numbers that need no conversion."""

    features: ClassVar[str] = "identity"  # default features of metrics
    health_features: ClassVar[tuple[str, ...]] = ("identity",)  # spaces in which health measures
    bounded: ClassVar[bool] = False  # do samples lie in [-1, 1]?
    differentiable: ClassVar[bool] = True  # can a penalty differentiate with respect to them?
    previewed: ClassVar[int] = 64  # samples in a preview
    shows_augmentation: ClassVar[bool] = False  # is a picture of augmented data worth looking at?
    rounding: ClassVar[str] = "none"  # of generated samples before they are scored
    step: ClassVar[float | None] = None  # in model form, between stored whole numbers; None: none

    def recognizes(self, stored: Tensor) -> bool:
        """Returns whether stored samples (N, *shape) of unknown kind look like this one."""
        raise NotImplementedError

    def check(self, field: Field) -> None:
        """Raises ConfigError if the field lacks something that this kind needs in training."""

    def to_model(self, stored: Tensor) -> Tensor:
        """Returns stored samples (N, *shape) in model form."""
        return stored

    def to_stored(self, samples: Tensor) -> Tensor:
        """Returns samples (N, *shape) of a network in stored form."""
        return samples.float()

    def mirror(self, stored: Tensor, mirrored: Tensor) -> Tensor:  # noqa: ARG002
        """Returns `stored` (N, *shape), flipped left to right where `mirrored` (N,) is true."""
        return stored

    def picture(
        self, field: Field, columns: Sequence[Tensor], context: Context
    ) -> np.ndarray | None:
        """Returns a preview (height, width, C) uint8, or None if the samples have none.

        Each of `columns` holds samples (N, *shape) in model form; samples with the same index are
        shown side by side.
        """
        raise NotImplementedError

    def data_picture(self, field: Field, context: Context) -> np.ndarray | None:
        """Returns `context.real` alone, in the layout of a preview of as many samples."""
        assert context.real is not None
        return self.picture(field, (context.real,), context)

    def recording(self, field: Field, samples: Tensor) -> bytes | None:  # noqa: ARG002
        """Returns a WAV file of samples (N, *shape) in model form; None if they are no sound."""
        return None

    def writing(self, field: Field, samples: Tensor) -> str | None:  # noqa: ARG002
        """Returns samples (N, *shape) in model form as text, one a line; None if they are none."""
        return None

    def default_format(self, field: Field) -> str:  # noqa: ARG002
        """Returns the default export format of gan-sample."""
        return "npz"

    def array_name(self) -> str:
        """Returns the name of the array of samples in npz files."""
        return "samples"

    def to_array(self, stored: Tensor) -> np.ndarray:
        """Returns stored samples in the layout of npz files."""
        return stored.cpu().numpy()

    def from_array(self, array: np.ndarray) -> Tensor:
        """Inverse of `to_array`; raises ValueError if dtype or shape are wrong."""
        return torch.from_numpy(array)


class KindRegistry(Registry[Kind]):
    """A registry of instances, one of each kind, since kinds have no state."""

    def register(self, name: str) -> Callable[[type[Kind]], type[Kind]]:
        def decorate(cls: type[Kind]) -> type[Kind]:
            super(KindRegistry, self).register(name)(cls())
            return cls

        return decorate


kinds = KindRegistry("kind of samples")


def kind_of(field: Field) -> Kind:
    """Returns the kind of a field."""
    kind: Kind = kinds.find({"name": field.kind}, "spec")
    return kind


def recognized(stored: Tensor) -> str:
    """Returns the name of the kind of stored samples (N, *shape); ValueError if unknown."""
    for name, kind in kinds.entries.items():
        if kind.recognizes(stored):
            return name
    raise ValueError(
        f"are of no known kind: {stored.dtype} {tuple(stored.shape)}; images are uint8 "
        "(N, C, H, W), vectors float32 (N, F), sounds int16 (N, C, T), tokens int64 (N, T)"
    )
