"""From batches of samples to what metrics look at, in one pass."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset, part_with, pick
from gan_cli.data.ground_truth import Known
from gan_cli.data.kinds import Kind
from gan_cli.metrics.frechet import Moments
from gan_cli.metrics.metric import Collected, Features, Need, check_finite
from gan_cli.utils.cache import cached, content_hash

BATCH = 250  # samples drawn and embedded at a time
Batch = tuple[Tensor, Tensor | None]  # samples (N, *shape), labels (N,) if there are any
Watch = Callable[[Iterable[Batch], int], Iterable[Batch]]  # shows the progress over so many samples
EMBEDDED = frozenset({"moments", "features", "logits"})


def unwatched(batches: Iterable[Batch], total: int) -> Iterable[Batch]:  # noqa: ARG001
    return batches


@torch.no_grad()
def collect(
    batches: Iterable[Batch],
    features: Features | None,
    needs: frozenset[Need],
    device: torch.device,
) -> Collected:
    """What `needs` names, of all batches; only moments need memory that does not grow."""
    count, moments, kept = 0, None, defaultdict[str, list[Tensor]](list)
    for samples, labels in batches:
        count += len(samples)
        found = {"samples": samples, "labels": labels}
        if needs & EMBEDDED:
            assert features is not None
            embedded = features(samples.to(device))
            found |= {"features": embedded.features.float(), "logits": embedded.logits}
            if "moments" in needs:
                new = Moments.of(embedded.features)
                moments = new if moments is None else moments + new
        check_finite(found, count - len(samples))
        for key in needs & found.keys():
            assert found[key] is not None, f"a metric was let through without {key}"
            kept[key].append(found[key].cpu())  # type: ignore[union-attr]
    joined = {key: torch.cat(parts) for key, parts in kept.items()}
    return Collected(count, moments, **joined)  # type: ignore[arg-type]


def labelled(kind: Kind, drawn: Iterable[Tensor], labels: Tensor | None) -> Iterator[Batch]:
    """Generated samples as a data set would hold them, with their labels.

    What is generated is rounded as what is real was; checked before, since uint8 has no NaN.
    """
    start = 0
    for samples in drawn:
        check_finite({"samples": samples}, start)
        stop = start + len(samples)
        yield kind.to_stored(samples), None if labels is None else labels[start:stop]
        start = stop


def real_batches(dataset: Dataset, limit: int | None) -> Iterator[Batch]:
    """The data set, or `limit` samples picked once and for all: it may be sorted by class.

    Never mirrored, whatever the training does, as in StyleGAN2-ADA's metrics.
    """
    part = part_with(dataset, dataset.spec.target)
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))
    labels = dataset.labels()
    for index in order[:limit].sort().values.split(BATCH):
        samples = pick(part, dataset.spec.target, index)
        yield samples, None if labels is None else labels[index]


def collect_data(
    dataset: Dataset,
    limit: int | None,
    features: Features | None,
    needs: frozenset[Need],
    device: torch.device,
    watch: Watch = unwatched,
) -> Collected:
    """Of a data set; what the features make of it is cached by its content, not by its name."""
    embedded = needs & EMBEDDED
    state: dict[str, Any] = {}
    if embedded:
        assert features is not None
        key = {
            "layout": 1,  # of the file; raise it with what is kept
            "content": content_of(dataset, limit),
            "features": {"name": features.name, **features.describe()},
            "holds": sorted(embedded),
        }

        def compute() -> dict[str, Any]:
            batches = watch(real_batches(dataset, limit), min(len(dataset), limit or len(dataset)))
            found = collect(batches, features, embedded, device)
            moments = found.moments and {
                f.name: getattr(found.moments, f.name) for f in fields(Moments)
            }
            return {"moments": moments, "features": found.features, "logits": found.logits}

        state = cached("statistics", key, compute)
        state["moments"] = state["moments"] and Moments(**state["moments"])
    plain = collect(real_batches(dataset, limit), None, needs - EMBEDDED, device)
    modes = dataset.modes() if "modes" in needs else None
    density = dataset.density() if "density" in needs and isinstance(dataset, Known) else None
    return replace(plain, **state, modes=modes, density=density)


def content_of(dataset: Dataset, limit: int | None) -> str:
    """A hash of the samples that real_batches hands out."""
    return content_hash(samples for samples, _ in real_batches(dataset, limit))


def about(dataset: Dataset, limit: int | None) -> dict[str, Any]:
    """What a metric card says of a data set: its content, whatever it is called."""
    count = len(dataset) if limit is None else min(limit, len(dataset))
    return {"count": count, "content": content_of(dataset, limit)}
