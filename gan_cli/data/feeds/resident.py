"""The feed of data that fit on the device; it needs no loader processes."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import ClassVar

import torch

from gan_cli.data.dataset import MapDataset
from gan_cli.data.feeds.batch_sampler import BatchSampler
from gan_cli.data.feeds.decode import Batch, crop, decode
from gan_cli.data.sets.random_crop import Cropped
from gan_cli.utils.free_memory import CPU, check_free


class ResidentFeed:
    """Keeps the data set on the device in stored form; a batch is one index_select."""

    kind: ClassVar[str] = "resident"

    def __init__(self, dataset: MapDataset, sampler: BatchSampler, device: torch.device) -> None:
        self.crops = isinstance(dataset, Cropped)
        self.fields, self.hflip = dataset.spec.fields, dataset.hflip
        dataset = dataset.whole if isinstance(dataset, Cropped) else dataset
        tensors = dataset.tensors()
        for needed, place in ((tensors is None, CPU), (device.type != "cpu", device)):
            what = f"device.resident: a data set of {len(dataset):,} samples"
            if needed:
                check_free(size_in_bytes(dataset), place, what, "type device.resident=false")
        tensors = tensors or load(dataset)
        self.tensors = {key: value.contiguous().to(device) for key, value in tensors.items()}
        self.sampler, self.device = sampler, device

    def batches(self, drawn: int) -> Iterator[Batch]:
        for number in count(drawn):
            index, mirrored = self.sampler.batch(number, self.device)
            batch = {key: value.index_select(0, index) for key, value in self.tensors.items()}
            if self.crops:
                batch = crop(batch, self.fields, self.sampler.corners(number, self.device))
            yield decode(batch, self.fields, mirrored if self.hflip else None)

    def prepare(self, count: int) -> None:
        pass

    def close(self) -> None:
        pass


def size_in_bytes(dataset: MapDataset) -> int:
    """Returns the size of all samples in stored form, before they are cropped."""
    dataset = dataset.whole if isinstance(dataset, Cropped) else dataset
    one = dataset[0]
    return len(dataset) * sum(value.numel() * value.element_size() for value in one.values())


def load(dataset: MapDataset) -> Batch:
    """Returns all samples stacked; they are read by threads."""
    stacked = {
        key: torch.empty((len(dataset), *value.shape), dtype=value.dtype)
        for key, value in dataset[0].items()
    }

    def place(index: int) -> None:
        for key, value in dataset[index].items():
            stacked[key][index] = value

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        list(pool.map(place, range(len(dataset))))
    return stacked
