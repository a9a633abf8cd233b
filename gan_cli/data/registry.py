"""What a data set is to the rest of the program."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from gan_cli.data.spec import Spec
from gan_cli.registry import Registry

if TYPE_CHECKING:
    from gan_cli.metrics.registry import Modes


class Dataset(Protocol):
    """Opens (and may download) its data in ``__init__(self, *, <config keys>)``.

    Images are uint8 (C, H, W); the feed turns them into float32 in [-1, 1] on the device. Tensors
    of any other type reach the networks as they are.
    """

    spec: Spec
    hflip: bool  # mirror every image with probability 1/2

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """The batch keys that these options give, and "modes"; must not touch the data."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One sample: {"real": (C, H, W)} and, if labelled, {"label": () int64}."""
        ...

    def tensors(self) -> dict[str, Tensor] | None:
        """All samples stacked, if they are in memory anyway."""
        ...

    def labels(self) -> Tensor | None:
        """All labels, (count,) int64: what generated samples are conditioned on in metrics."""
        ...

    def modes(self) -> "Modes | None":
        """Where its probability lies, if `provides` names "modes"."""
        ...

    def fingerprint(self) -> str:
        """A short hash of the content, so that a resumed run notices other data."""
        ...


datasets: Registry[Dataset] = Registry("dataset")
