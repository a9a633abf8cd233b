"""What a data set is to the rest of the program."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from gan_cli.config.registry import Registry
from gan_cli.data.ground_truth import Modes
from gan_cli.data.spec import Spec


class Stored(Protocol):
    """Samples by number, which is all that a feed asks for.

    Images are uint8 (C, H, W); the feed turns them into float32 in [-1, 1] on the device. Tensors
    of any other type reach the networks as they are.
    """

    hflip: bool  # mirror every image with probability 1/2

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One sample: {"real": (C, H, W)} and, if labelled, {"label": () int64}."""
        ...

    def tensors(self) -> dict[str, Tensor] | None:
        """All samples stacked, if they are in memory anyway."""
        ...


class Dataset(Stored, Protocol):
    """Opens (and may download) its data in ``__init__(self, *, <config keys>)``."""

    spec: Spec

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """The batch keys that these options give, "modes", "density" and "held_out".

        "density" promises that it is Known, "held_out" a method held_out(), samples by batch key
        that no feed will draw. Must not touch the data.
        """
        ...

    def labels(self) -> Tensor | None:
        """All labels, (count,) int64: what generated samples are conditioned on in metrics."""
        ...

    def modes(self) -> Modes | None:
        """Where its probability lies, if `provides` names "modes"."""
        ...

    def fingerprint(self) -> str:
        """A short hash of the content, so that a resumed run notices other data."""
        ...


@runtime_checkable
class Joint(Protocol):
    """A data set of several that have no order in common: each is fed in one of its own."""

    def parts(self) -> Sequence[Stored]:
        """Their batch keys differ."""
        ...


datasets: Registry[Dataset] = Registry("dataset")
