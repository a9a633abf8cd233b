"""One domain of a data set of several, such as the source or the target of a pair."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import Dataset
from gan_cli.data.spec import Spec

UNKNOWN = -1  # label of samples whose class is masked


class Domain:
    """A subset of a data set with the batch keys `name` and `name`_label.

    `index` (N,) selects the samples. Gray images get `channels` channels if other domains are in
    colour.
    """

    def __init__(self, dataset: Dataset, name: str, index: Tensor, channels: int) -> None:
        self.dataset, self.name, self.index, self.channels = dataset, name, index, channels
        self.hflip = dataset.hflip
        self.label = None if dataset.labels() is None else dataset.labels()[index]  # type: ignore[index]

    @property
    def spec(self) -> Spec:
        """The fields `name` and, if there are labels, `name`_label."""
        spec = self.dataset.spec
        image = replace(spec.fields[spec.target], shape=(self.channels, *spec.shape[1:]))
        fields = {self.name: image}
        if self.label is not None and spec.label is not None:
            fields[f"{self.name}_label"] = spec.fields[spec.label]
        return Spec(fields, self.name)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        image = self.colored(self.dataset[int(self.index[index])][self.dataset.spec.target])
        return self.named(image, None if self.label is None else self.label[index])

    def tensors(self) -> dict[str, Tensor] | None:
        stacked = self.dataset.tensors()
        if stacked is None:
            return None
        return self.named(self.colored(stacked[self.dataset.spec.target][self.index]), self.label)

    def stacked(self) -> dict[str, Tensor]:
        """Returns all samples stacked; reads them if they are not in memory."""
        tensors = self.tensors()
        if tensors is not None:
            return tensors
        return torch.utils.data.default_collate([self[i] for i in range(len(self))])

    def colored(self, image: Tensor) -> Tensor:
        """Returns images (..., C, H, W), with gray repeated if other domains are in colour."""
        return image.expand(*image.shape[:-3], self.channels, -1, -1)

    def named(self, image: Tensor, label: Tensor | None) -> dict[str, Tensor]:
        """Returns image and label by batch key."""
        return {self.name: image} | ({} if label is None else {f"{self.name}_label": label})


def split(count: int, held_out: float, seed: int) -> tuple[Tensor, Tensor]:
    """Returns indices to train on and to hold out; they depend only on the arguments."""
    test = round(held_out * count)
    if not 0 < test < count:
        raise ConfigError(
            f"held_out: a share of {held_out} of {count} samples leaves none on one side; take 0.2"
        )
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    return order[test:], order[:test]


def mask_labels(label: Tensor | None, known: int | None) -> Tensor | None:
    """Returns the labels with all but the first `known` (None: all) masked as UNKNOWN.

    Returns None if no label is left.
    """
    if known == 0 or (label is None and known is None):
        return None
    if label is None:
        raise ConfigError("target_labels: the target has no labels; set target_labels=0")
    known = len(label) if known is None else known
    if not 0 < known <= len(label):
        raise ConfigError(
            f"target_labels: {known} of {len(label)} training samples cannot be known; take 0 to "
            f"{len(label)}, or null for all"
        )
    return torch.cat([label[:known], torch.full_like(label[known:], UNKNOWN)])
