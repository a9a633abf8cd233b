"""Collects what metrics need of a set of samples, in one pass over its batches."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, part_with, pick
from gan_cli.data.ground_truth import HasDensity
from gan_cli.data.kinds import Kind
from gan_cli.metrics.frechet import Moments
from gan_cli.metrics.metric import Collected, Features, Need, check_finite, embed
from gan_cli.utils.cache import cached, content_hash
from gan_cli.utils.free_memory import CPU, check_free
from gan_cli.utils.memory import EVALUATION

BATCH = 250  # samples drawn and embedded at a time
Batch = tuple[Tensor, Tensor | None]  # samples (N, *shape), labels (N,) if there are any
Progress = Callable[[Iterable[Batch], int], Iterable[Batch]]  # batches and number of samples
EMBEDDED = frozenset({"moments", "features", "logits"})


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
) -> Collected:
    """Returns what `needs` names for all batches; moments need only constant memory.

    Raises OutOfMemoryError after the first batch if `total` samples would not fit.
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
        check_finite(found, count - len(samples))
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


def labelled(kind: Kind, drawn: Iterable[Tensor], labels: Tensor | None) -> Iterator[Batch]:
    """Yields generated samples in stored form, rounded like real ones, with their labels.

    They are checked to be finite first, since uint8 has no NaN.
    """
    start = 0
    for samples in drawn:
        check_finite({"samples": samples}, start)
        stop = start + len(samples)
        yield kind.to_stored(samples), None if labels is None else labels[start:stop]
        start = stop


def real_batches(dataset: Dataset, limit: int | None) -> Iterator[Batch]:
    """Yields the data set, or `limit` samples picked with a fixed seed, since it may be sorted.

    Samples are not mirrored, even if training mirrors them, as in the metrics of StyleGAN2-ADA.
    """
    count = len(part_with(dataset, dataset.spec.target))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    yield from batches_at(dataset, order[:limit].sort().values)


def batches_at(dataset: Dataset, index: Tensor) -> Iterator[Batch]:
    """Yields the samples `index` (N,) of a data set."""
    part, labels = part_with(dataset, dataset.spec.target), dataset.labels()
    for rows in index.split(BATCH):
        samples = pick(part, dataset.spec.target, rows)
        yield samples, None if labels is None else labels[rows]


def collect_data(
    dataset: Dataset,
    limit: int | None,
    features: Features | None,
    needs: frozenset[Need],
    device: torch.device,
    progress: Progress = no_progress,
) -> Collected:
    """Collects a data set; results of the features are cached by the hash of its content."""
    embedded, taken = needs & EMBEDDED, min(len(dataset), limit or len(dataset))
    state: dict[str, Any] = {}
    if embedded:
        assert features is not None
        key = {
            "layout": 1,  # of the file; increment it when the contents change
            "content": content_of(dataset, limit),
            "features": {"name": features.name, **features.describe()},
            "holds": sorted(embedded),
        }

        def compute() -> dict[str, Any]:
            batches = progress(real_batches(dataset, limit), taken)
            found = collect(batches, features, embedded, device, taken)
            moments = found.moments and {
                f.name: getattr(found.moments, f.name) for f in fields(Moments)
            }
            return {"moments": moments, "features": found.features, "logits": found.logits}

        state = cached("statistics", key, compute)
        state["moments"] = state["moments"] and Moments(**state["moments"])
    plain = collect(real_batches(dataset, limit), None, needs - EMBEDDED, device, taken)
    modes = dataset.modes() if "modes" in needs else None
    density = dataset.density() if "density" in needs and isinstance(dataset, HasDensity) else None
    return replace(plain, **state, modes=modes, density=density)


def content_of(dataset: Dataset, limit: int | None) -> str:
    """Returns a hash of the samples of real_batches."""
    return content_hash(samples for samples, _ in real_batches(dataset, limit))


def dataset_protocol(dataset: Dataset, limit: int | None) -> dict[str, Any]:
    """Returns the entries of a metric card about a data set: its size and content, not its name."""
    count = len(dataset) if limit is None else min(limit, len(dataset))
    return {"count": count, "content": content_of(dataset, limit)}
