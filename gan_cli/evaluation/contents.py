"""The real samples of a score, and the hash of their content, without decoding images again."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, Identified, part_with, pick
from gan_cli.metrics.metric import at_a_time
from gan_cli.utils.cache import ContentHash, content_hash, keep, lookup

BATCH = 250  # samples read at a time, of the size of small images
Batch = tuple[Tensor, Tensor | None]  # samples (N, *shape), labels (N,) if there are any
LAYOUT = 1  # of the cached contents, and of the order of samples; raised when they change


def real_index(dataset: Dataset, limit: int | None) -> Tensor:
    """Returns the indices of all samples, or of `limit` of them, since the data may be sorted."""
    count = len(part_with(dataset, dataset.spec.target))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return order[:limit].sort().values


def real_batches(dataset: Dataset, limit: int | None) -> Iterator[Batch]:
    """Yields the data set, or `limit` samples picked with a fixed seed.

    Samples are not mirrored, even if training mirrors them, as in the metrics of StyleGAN2-ADA.
    """
    yield from batches_at(dataset, real_index(dataset, limit))


def batches_at(dataset: Dataset, index: Tensor) -> Iterator[Batch]:
    """Yields the samples `index` (N,) of a data set."""
    part, labels = part_with(dataset, dataset.spec.target), dataset.labels()
    size = min(BATCH, at_a_time(dataset.spec.fields[dataset.spec.target].shape))
    for rows in index.split(size):
        samples = pick(part, dataset.spec.target, rows)
        yield samples, None if labels is None else labels[rows]


def hashing(batches: Iterable[Batch], content: ContentHash) -> Iterator[Batch]:
    """Yields the batches, and adds their samples to the hash."""
    for samples, labels in batches:
        content.add(samples)
        yield samples, labels


def content_of(dataset: Dataset, limit: int | None) -> str:
    """Returns the hash of the samples of real_batches, which are read unless it is known."""
    found = known_content(dataset, limit)
    if found is None:
        found = content_hash(samples for samples, _ in real_batches(dataset, limit))
        remember_content(dataset, limit, found)
    return found


def known_content(dataset: Dataset, limit: int | None) -> str | None:
    """Returns the hash of the samples of real_batches; None if their files have to be decoded.

    Only a data set that can be identified is asked to: the results of its features are not in the
    cache if its content is not.
    """
    found = remembered(dataset).get((dataset.spec.target, limit))
    if found is None:
        in_memory = part_with(dataset, dataset.spec.target).tensors() is not None
        key = None if in_memory else content_key(dataset, limit)
        if key is None:
            found = content_hash(samples for samples, _ in real_batches(dataset, limit))
        else:
            found = (lookup("contents", key) or {}).get("content")
    if found is not None:
        remembered(dataset)[dataset.spec.target, limit] = found
    return found


def remember_content(dataset: Dataset, limit: int | None, content: str) -> None:
    """Remembers the hash, also for later processes if the data set can be identified."""
    remembered(dataset)[dataset.spec.target, limit] = content
    key = content_key(dataset, limit)
    if key is not None:
        keep("contents", key, {"content": content})


def content_key(dataset: Dataset, limit: int | None) -> dict[str, Any] | None:
    """Returns the key of the content in the cache; None if only the samples tell what they are."""
    if not isinstance(dataset, Identified):
        return None
    target = dataset.spec.target
    return {"layout": LAYOUT, "data": dataset.identity(), "target": target, "limit": limit}


def remembered(dataset: Dataset) -> dict[tuple[str, int | None], str]:
    """Returns the hashes that are known of a data set, by target and limit."""
    found: dict[tuple[str, int | None], str]
    found = getattr(dataset, "__dict__", {}).setdefault("_contents", {})
    return found
