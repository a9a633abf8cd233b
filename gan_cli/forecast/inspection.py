"""Looks at the samples of a data set: sizes, modes, classes, copies, and images without content."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.dataset import Joint, MapDataset, pick
from gan_cli.data.files.facts import FileFacts, HasFiles, modes_of
from gan_cli.data.sets.domain import Domain
from gan_cli.data.sets.random_crop import Cropped
from gan_cli.data.spec import Field
from gan_cli.forecast.hashes import similar_pairs, small_coloured, small_gray

DECODED = 20_000  # images that are looked at, at most, if they have to be decoded for it
CHUNK = 256  # samples looked at together
Pair = tuple[int, int, float]  # numbers of two samples, and their correlation


@dataclass
class Inspection:
    """What is known of the samples of one field of a data set."""

    key: str  # its batch key
    spec: Field
    count: int
    looked_at: list[int]  # numbers of the samples that were looked at
    hflip: bool
    resize: str | None  # of image files
    classes: dict[str, int] = field(default_factory=dict)  # samples by name of the class
    files: FileFacts | None = None
    modes: Counter[str] = field(default_factory=Counter)  # of image files
    constant: list[int] = field(default_factory=list)  # numbers of samples without content
    gray: int = 0  # images in colour whose channels are equal
    copies: list[list[int]] = field(default_factory=list)  # groups of equal samples
    similar: list[Pair] = field(default_factory=list)  # pairs that look the same

    def name(self, number: int) -> str:
        """The file of a sample, or its number."""
        return f"sample {number}" if self.files is None else self.files.names[number]


def inspections(dataset: MapDataset | Joint) -> list[Inspection]:
    """Looks at each part of a data set, at whole images even if the feed crops them."""
    parts = dataset.parts() if isinstance(dataset, Joint) else (dataset,)
    parts = [part.whole if isinstance(part, Cropped) else part for part in parts]
    return [
        inspect(part, key, spec)
        for part in parts
        for key, spec in part.spec.fields.items()
        if spec.kind != "label"
    ]


def inspect(part: MapDataset, key: str, spec: Field) -> Inspection:
    """Looks at the samples of one field."""
    resize = getattr(part.dataset if isinstance(part, Domain) else part, "resize", None)
    found = Inspection(key, spec, len(part), numbers_of(part), part.hflip, resize)
    found.classes = classes_of(part)
    source = part.dataset if isinstance(part, Domain) else part
    if isinstance(source, HasFiles):
        found.files = files_of(part, source.files)
        found.modes = modes_of(source.archive, [found.files.names[i] for i in found.looked_at])
    look_at_samples(part, found)
    return found


def numbers_of(part: MapDataset) -> list[int]:
    """The numbers of the samples to look at: all, or DECODED of them at even intervals."""
    count = len(part)
    if part.tensors() is not None or count <= DECODED:
        return list(range(count))
    return sorted({i * count // DECODED for i in range(DECODED)})


def files_of(part: MapDataset, files: FileFacts) -> FileFacts:
    """The files of a data set, or those of a domain of it."""
    if not isinstance(part, Domain):
        return files
    rows = part.index.tolist()
    return FileFacts([files.names[i] for i in rows], [files.sizes[i] for i in rows], files.broken)


def classes_of(part: MapDataset) -> dict[str, int]:
    """Numbers of samples by name of the class; classes without samples have 0."""
    name = part.spec.label
    if name is None:
        return {}
    label = getattr(part, "label", None)
    if not isinstance(label, Tensor):
        label = (part.tensors() or {}).get(name)
    if label is None:
        return {}
    spec = part.spec.fields[name]
    counts = torch.bincount(label[label >= 0].long(), minlength=spec.classes).tolist()
    names = spec.class_names or [str(i) for i in range(len(counts))]
    return dict(zip(names, counts, strict=False))


def look_at_samples(part: MapDataset, found: Inspection) -> None:
    """Finds constant and equal samples, and images that look the same."""
    groups = defaultdict[bytes, list[int]](list)
    thumbnails = []
    for numbers, samples in chunks(part, found):
        for number, sample in zip(numbers, samples, strict=True):
            groups[hashlib.blake2b(sample.numpy().tobytes(), digest_size=16).digest()].append(
                number
            )
        flat = samples.flatten(2) if samples.ndim == 4 else samples.flatten(1)[:, None]
        constant = (flat.amin(2) == flat.amax(2)).all(1).tolist()  # each channel of images
        found.constant += [n for n, same in zip(numbers, constant, strict=True) if same]
        if found.spec.kind == "image" and len(samples[0]) in (1, 3, 4):
            if len(samples[0]) > 1:
                found.gray += int((samples[:, 1:3] == samples[:, :1]).flatten(1).all(1).sum())
            thumbnails.append((small_gray(samples), small_coloured(samples)))
    found.copies = [group for group in groups.values() if len(group) > 1]
    if thumbnails:
        gray, coloured = (np.concatenate(side) for side in zip(*thumbnails, strict=True))
        found.similar = similar(found, gray, coloured)


def chunks(part: MapDataset, found: Inspection) -> Iterator[tuple[list[int], Tensor]]:
    """The samples to look at, some at a time, with their numbers."""
    for start in range(0, len(found.looked_at), CHUNK):
        numbers = found.looked_at[start : start + CHUNK]
        yield numbers, pick(part, found.key, torch.tensor(numbers)).contiguous()


def similar(found: Inspection, gray: np.ndarray, coloured: np.ndarray) -> list[Pair]:
    """Pairs that look the same, of all images but constant ones and exact copies."""
    left_out = {number for group in found.copies for number in group[1:]} | set(found.constant)
    rows = [row for row, number in enumerate(found.looked_at) if number not in left_out]
    pairs = similar_pairs(gray[rows], coloured[rows])
    numbers = [found.looked_at[row] for row in rows]
    return [(numbers[i], numbers[j], value) for i, j, value in pairs]
