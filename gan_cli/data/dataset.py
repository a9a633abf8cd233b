"""What a data set is to the rest of the program."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli.config.registry import Registry
from gan_cli.data.ground_truth import Modes
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Spec


class Stored(Protocol):
    """Samples by number, which is all that a feed asks for.

    Samples are in the stored form of their kind (images are uint8); the feed converts them to the
    form that networks take, on the device.
    """

    spec: Spec  # its fields are the keys of a sample
    hflip: bool  # mirror images with probability 1/2

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One sample by batch key, such as {"real": (C, H, W), "label": () int64}."""
        ...

    def tensors(self) -> dict[str, Tensor] | None:
        """All samples stacked, if they are in memory anyway."""
        ...


class Dataset(Stored, Protocol):
    """Opens (and may download) its data in ``__init__(self, *, <config keys>)``."""

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """The batch keys that these options give, "modes", "density" and "held_out".

        "density" promises that it is Known, "held_out" a method held_out(), samples by batch key
        that no feed draws. Must not touch the data.
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


def part_with(dataset: Stored | Joint, key: str) -> Stored:
    """The data set itself, or the one of several that holds the batch key `key`."""
    parts = dataset.parts() if isinstance(dataset, Joint) else (dataset,)
    return next(part for part in parts if key in part.spec.fields)


class Lookup:
    """The samples `index` of one batch key, converted to model form as they are asked for."""

    def __init__(self, dataset: Stored, key: str, index: Tensor) -> None:
        self.dataset, self.key, self.index = dataset, key, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, positions: Sequence[int]) -> Tensor:
        stored = pick(self.dataset, self.key, self.index[list(positions)])
        return kind_of(self.dataset.spec.fields[self.key]).to_model(stored)


def pick(dataset: Stored, key: str, index: Tensor) -> Tensor:
    """The samples `index` (n,) of one batch key, (n, *shape) in stored form."""
    tensors = dataset.tensors()
    if tensors is not None:
        return tensors[key][index]
    return torch.stack([torch.as_tensor(dataset[i][key]) for i in index.tolist()])
