"""The two sides of a data set of pairs."""

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.data.sets.domain import split
from gan_cli.data.spec import Field, Spec
from gan_cli.utils.digest import short_hash
from gan_cli.utils.noise import Noise

BATCH = 256  # images that are degraded at a time
Degrade = Callable[[Tensor, Noise], Tensor]


class Side(Protocol):
    """Images of one shape, one of each pair, in stored form."""

    field: Field

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Tensor:
        """Returns an image (C, H, W) uint8."""
        ...

    def stacked(self, index: Tensor) -> Tensor | None:
        """Returns the images `index` (N, C, H, W), or None if they are not in memory."""
        ...

    def fingerprint(self) -> str: ...


class DatasetSide:
    """The images of another data set, those at the positions `order` (N,)."""

    def __init__(self, dataset: Dataset, order: Tensor) -> None:
        self.dataset, self.order = dataset, order
        self.key = dataset.spec.target
        self.field = dataset.spec.fields[self.key]

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> Tensor:
        return self.dataset[int(self.order[index])][self.key]

    def stacked(self, index: Tensor) -> Tensor | None:
        tensors = self.dataset.tensors()
        return None if tensors is None else tensors[self.key][self.order[index]]

    def fingerprint(self) -> str:
        return self.dataset.fingerprint()


class DegradedSide:
    """The images of another side after a degradation; the random numbers of each are its own."""

    def __init__(self, side: Side, degrade: Degrade, settings: str, seed: int) -> None:
        self.side, self.degrade, self.settings, self.seed = side, degrade, settings, seed
        sketch = degrade(torch.zeros((1, *side.field.shape), dtype=torch.uint8), Noise([0]))
        self.field = Field("image", tuple(sketch.shape[1:]))

    def __len__(self) -> int:
        return len(self.side)

    def __getitem__(self, index: int) -> Tensor:
        return self.degraded(self.side[index][None], [index])[0]

    def stacked(self, index: Tensor) -> Tensor | None:
        images = self.side.stacked(index)
        if images is None:
            return None
        parts = zip(images.split(BATCH), index.split(BATCH), strict=True)
        return torch.cat([self.degraded(part, chosen.tolist()) for part, chosen in parts])

    def degraded(self, images: Tensor, index: list[int]) -> Tensor:
        """Returns sources of images (N, C, H, W), whose positions are `index`."""
        state = np.random.SeedSequence(self.seed).generate_state(1, np.uint64).item()
        return self.degrade(images, Noise([(state + i) % 2**64 for i in index]))

    def fingerprint(self) -> str:
        return f"{self.side.fingerprint()} {self.settings} {self.seed}"


class OneHotSide:
    """Label maps (1, H, W) of another side as images with a channel for each class.

    The channel of a pixel's class is white and the others black; a pixel without a class has none.
    """

    def __init__(self, side: Side, classes: int) -> None:
        self.side = side
        self.field = Field("image", (classes, *side.field.shape[1:]))

    def __len__(self) -> int:
        return len(self.side)

    def __getitem__(self, index: int) -> Tensor:
        return self.one_hot(self.side[index])

    def stacked(self, index: Tensor) -> Tensor | None:
        maps = self.side.stacked(index)
        return None if maps is None else self.one_hot(maps)

    def one_hot(self, maps: Tensor) -> Tensor:
        """Maps (..., 1, H, W) to images (..., classes, H, W)."""
        numbers = torch.arange(self.field.shape[0], dtype=torch.uint8)[:, None, None]
        return (maps == numbers).to(torch.uint8) * 255

    def fingerprint(self) -> str:
        return f"{self.side.fingerprint()} {self.field.shape[0]}"


class Pairs:
    """The pairs `index` (N,) of two sides, with the batch keys "source" and "target".

    With `label` (M,) they also have the classes of all pairs as "label".
    """

    hflip = False

    def __init__(
        self, source: Side, target: Side, index: Tensor, label: tuple[Field, Tensor] | None = None
    ) -> None:
        self.sides = {"source": source, "target": target}
        self.index = index
        fields = {key: side.field for key, side in self.sides.items()}
        self.label = None
        if label is not None:
            fields["label"], self.label = label[0], label[1][index]
        self.spec = Spec(fields, "target")

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        position = int(self.index[index])
        sample = {key: side[position] for key, side in self.sides.items()}
        return sample if self.label is None else sample | {"label": self.label[index]}

    @cached_property
    def in_memory(self) -> dict[str, Tensor] | None:
        stacked = {key: side.stacked(self.index) for key, side in self.sides.items()}
        found = {key: images for key, images in stacked.items() if images is not None}
        if len(found) < len(stacked):
            return None
        return found if self.label is None else found | {"label": self.label}

    def tensors(self) -> dict[str, Tensor] | None:
        return self.in_memory

    def content(self) -> str:
        """Returns a hash of both sides and of which pairs these are."""
        prints = [side.fingerprint() for side in self.sides.values()]
        return short_hash(repr((prints, self.index.tolist())))


def split_pairs(side: Side, held_out: float, seed: int) -> tuple[Tensor, Tensor]:
    """Returns indices of pairs to train on and to hold out; they depend only on the arguments.

    Patches of the same image are all trained on or all held out, if there are several images.
    """
    dataset = getattr(side, "dataset", None)
    groups: Tensor | None = getattr(dataset, "groups", None)
    images = 0 if groups is None else len(groups.unique())
    if groups is None or images < 2 or not isinstance(side, DatasetSide):
        return split(len(side), held_out, seed)
    count = min(max(round(held_out * images), 1), images - 1)
    chosen = np.random.default_rng(seed).permutation(images)[:count]
    held = torch.isin(groups[side.order], torch.from_numpy(chosen))
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]
