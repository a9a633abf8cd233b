"""Collects what metrics need of a set of samples, in one pass over its batches."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.data.ground_truth import HasDensity
from gan_cli.data.kinds import Kind
from gan_cli.evaluation.contents import (
    Batch,
    content_of,
    hashing,
    known_content,
    real_batches,
    real_index,
    remember_content,
)
from gan_cli.metrics.frechet import Moments
from gan_cli.metrics.metric import Collected, Features, Need, check_finite, embed
from gan_cli.utils.cache import ContentHash, cached, keep
from gan_cli.utils.free_memory import CPU, check_free
from gan_cli.utils.memory import EVALUATION

Progress = Callable[[Iterable[Batch], int], Iterable[Batch]]  # batches and number of samples
EMBEDDED: frozenset[Need] = frozenset({"moments", "features", "logits"})
KEPT: frozenset[Need] = frozenset({"samples", "labels"})


def no_progress(batches: Iterable[Batch], total: int) -> Iterable[Batch]:  # noqa: ARG001
    """Returns the batches; the default, which shows no progress bar."""
    return batches


@torch.no_grad()
def collect(
    batches: Iterable[Batch],
    features: Features | None,
    needs: frozenset[Need],
    device: torch.device,
    total: int = 0,
    start: int = 0,
) -> Collected:
    """Returns what `needs` names for all batches; moments need only constant memory.

    `start` is the row of the first sample, for messages. Raises OutOfMemoryError after the first
    batch if `total` samples would not fit.
    """
    count, moments, kept = 0, None, defaultdict[str, list[Tensor]](list)
    for samples, labels in batches:
        count += len(samples)
        found = {"samples": samples, "labels": labels}
        if needs & EMBEDDED:
            assert features is not None
            embedded = embed(features, samples.to(device))
            found |= {"features": embedded.features.float(), "logits": embedded.logits}
            if "moments" in needs:
                new = Moments.of(embedded.features)
                moments = new if moments is None else moments + new
        check_finite(found, start + count - len(samples))
        for key in needs & found.keys():
            assert found[key] is not None, f"validation must refuse metrics that lack {key}"
            kept[key].append(found[key].cpu())  # type: ignore[union-attr]
        if count == len(samples):  # the first ones
            check_free(
                sum(parts[0].nbytes for parts in kept.values()) / max(count, 1) * total,
                *(CPU, f"metrics.count: what is kept of {total:,} samples", EVALUATION),
            )
    joined = {key: torch.cat(parts) for key, parts in kept.items()}
    return Collected(count, moments, **joined)  # type: ignore[arg-type]


def labelled(
    kind: Kind, drawn: Iterable[Tensor], labels: Tensor | None, first: int = 0
) -> Iterator[Batch]:
    """Yields generated samples in stored form, rounded like real ones, with their labels.

    They are checked to be finite first, since uint8 has no NaN; `first` is the row of the first.
    """
    start = 0
    for samples in drawn:
        check_finite({"samples": samples}, first + start)
        stop = start + len(samples)
        yield kind.to_stored(samples), None if labels is None else labels[start:stop]
        start = stop


def collect_data(
    dataset: Dataset,
    limit: int | None,
    features: Features | None,
    needs: frozenset[Need],
    device: torch.device,
    progress: Progress = no_progress,
) -> Collected:
    """Collects a data set; results of the features are cached by the hash of its content."""
    embedded, kept, taken = needs & EMBEDDED, needs & KEPT, len(real_index(dataset, limit))

    def reading(needs: frozenset[Need], hashed: ContentHash | None = None) -> Collected:
        batches = progress(real_batches(dataset, limit), taken)
        batches = batches if hashed is None else hashing(batches, hashed)
        return collect(batches, features, needs, device, taken)

    content, state = known_content(dataset, limit), dict[str, Any]()
    if content is None:  # files are decoded: once, for all that is needed
        hashed = ContentHash()
        found = reading(embedded | kept, hashed)
        remember_content(dataset, limit, hashed.text())
        if embedded and features is not None:
            key = statistics_key(hashed.text(), features, embedded)
            keep("statistics", key, statistics_of(found))
    else:
        found = reading(kept) if kept else Collected(taken)
        if embedded and features is not None:
            key = statistics_key(content, features, embedded)
            state = cached("statistics", key, lambda: statistics_of(reading(embedded)))
            state["moments"] = state["moments"] and Moments(**state["moments"])
    modes = dataset.modes() if "modes" in needs else None
    density = dataset.density() if "density" in needs and isinstance(dataset, HasDensity) else None
    return replace(found, **state, modes=modes, density=density)


def statistics_key(content: str, features: Features, holds: frozenset[Need]) -> dict[str, Any]:
    """Returns the key of cached results of the features."""
    return {
        "layout": 1,  # of the file; increment it when the contents change
        "content": content,
        "features": {"name": features.name, **features.describe()},
        "holds": sorted(holds),
    }


def statistics_of(found: Collected) -> dict[str, Any]:
    """Returns the results of the features as plain containers of tensors."""
    moments = found.moments and {f.name: getattr(found.moments, f.name) for f in fields(Moments)}
    return {"moments": moments, "features": found.features, "logits": found.logits}


def dataset_protocol(dataset: Dataset, limit: int | None) -> dict[str, Any]:
    """Returns the entries of a metric card about a data set: its size and content, not its name."""
    count = len(dataset) if limit is None else min(limit, len(dataset))
    return {"count": count, "content": content_of(dataset, limit)}
