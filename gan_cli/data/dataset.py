"""Protocols of data sets, their registry, and access to their samples."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli.config.registry import Registry
from gan_cli.data.ground_truth import Modes
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Spec


class MapDataset(Protocol):
    """Samples accessed by index, which is all that a feed needs.

    Samples are in the stored form of their kind (images are uint8); the feed converts them to model
    form on the device.
    """

    hflip: bool  # mirror images with probability 1/2

    @property
    def spec(self) -> Spec:
        """The fields are the keys of a sample."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Returns one sample by batch key, such as {"real": (C, H, W), "label": () int64}."""
        ...

    def tensors(self) -> dict[str, Tensor] | None:
        """Returns all samples stacked, or None if they are not in memory."""
        ...


class Dataset(MapDataset, Protocol):
    """A data set opens (and may download) its data in ``__init__(self, *, <config keys>)``."""

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        """Returns what a data set with these options provides, without opening the data.

        These are its batch keys, "modes" if modes() is not None, "density" if it has a method
        density() (see HasDensity), and "held_out" if it has a method held_out(), which returns
        samples by batch key that no feed draws.
        """
        ...

    def labels(self) -> Tensor | None:
        """Returns all labels (count,) int64; metrics condition generated samples on them."""
        ...

    def modes(self) -> Modes | None:
        """Returns the modes of the distribution, if `provides` names "modes"."""
        ...

    def fingerprint(self) -> str:
        """Returns a short hash of the content, by which a resumed run detects other data."""
        ...


@runtime_checkable
class Joint(Protocol):
    """A data set of several unpaired ones, each of which is fed in an order of its own."""

    def parts(self) -> Sequence[MapDataset]:
        """Returns the data sets, whose batch keys differ."""
        ...


@runtime_checkable
class Identified(Protocol):
    """A data set that is decoded from files, and knows which ones without reading them again."""

    def identity(self) -> dict[str, Any]:
        """Returns all that its stored samples are a function of, as plain values for JSON."""
        ...


@runtime_checkable
class HasHeldOut(Protocol):
    """A data set with samples that are not trained on."""

    def held_out(self, count: int | None = None) -> dict[str, Tensor]:
        """Returns the first `count` (None: all) by batch key, stacked (N, *shape) in stored form.

        Raises ConfigError if there are none.
        """
        ...


datasets: Registry[Dataset] = Registry("dataset")


def part_with(dataset: MapDataset | Joint, key: str) -> MapDataset:
    """Returns the data set itself, or the part of it that has the batch key `key`."""
    parts = dataset.parts() if isinstance(dataset, Joint) else (dataset,)
    return next(part for part in parts if key in part.spec.fields)


class Lookup:
    """The samples `index` of one batch key, loaded and converted to model form when indexed."""

    def __init__(self, dataset: MapDataset, key: str, index: Tensor) -> None:
        self.dataset, self.key, self.index = dataset, key, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, positions: Sequence[int]) -> Tensor:
        stored = pick(self.dataset, self.key, self.index[list(positions)])
        return kind_of(self.dataset.spec.fields[self.key]).to_model(stored)


def pick(dataset: MapDataset, key: str, index: Tensor) -> Tensor:
    """Returns the samples `index` (n,) of one batch key, (n, *shape) in stored form."""
    tensors = dataset.tensors()
    if tensors is not None:
        return tensors[key][index]
    return torch.stack([torch.as_tensor(dataset[i][key]) for i in index.tolist()])
