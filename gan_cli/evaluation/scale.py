"""The scale of distances: their values for the data themselves, and for an untrained generator."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.dataset import part_with
from gan_cli.data.ground_truth import HasDensity
from gan_cli.evaluation.collect import collect
from gan_cli.evaluation.contents import batches_at
from gan_cli.evaluation.evaluation import Evaluation
from gan_cli.evaluation.generated import request_of
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.games.game import Game
from gan_cli.metrics.metric import Collected, Metric, Need, value_name
from gan_cli.utils.errors import ConfigError, NonFiniteError
from gan_cli.utils.memory import EVALUATION, memory_errors

COST = 4  # the data cost at most as much as this many evaluations


@memory_errors(EVALUATION)
def scale_of(evaluation: Evaluation, untrained: Game) -> dict[str, Any]:
    """Returns the floor and the ceiling of each distance, and the numbers of samples of the floor.

    The floor is the distance between two halves of the data, of at most as many samples as a
    score compares; the ceiling is the score of a generator before its training.
    """
    floor: dict[str, float] = {}
    real, fake = halves(evaluation)
    if len(real) >= 2:
        sides = (data_side(evaluation, index) for index in (real, fake))
        floor = dict(distances(evaluation.metrics, *sides))
    return {
        "floor": floor,
        "ceiling": ceiling(evaluation, untrained),
        "counts": {"real": len(real), "fake": len(fake)},
    }


def halves(evaluation: Evaluation) -> tuple[Tensor, Tensor]:
    """Returns the indices of samples of two halves of the data, which may be sorted."""
    config, dataset = evaluation.config, evaluation.dataset
    count = len(part_with(dataset, dataset.spec.target))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    first, second = order[: count // 2], order[count // 2 : count // 2 * 2]
    most = min(config.real_count or count, (COST - 1) * config.count)
    return first[:most].sort().values, second[: config.count].sort().values


def data_side(evaluation: Evaluation, index: Tensor) -> Collected:
    """Collects the samples `index` of the data."""
    dataset, metrics = evaluation.dataset, evaluation.metrics
    needs: frozenset[Need] = metrics.needs - {"critic_logits"}
    side = collect(batches_at(dataset, index), metrics.features, needs, metrics.device)
    density = dataset.density() if "density" in needs and isinstance(dataset, HasDensity) else None
    return replace(side, modes=dataset.modes() if "modes" in needs else None, density=density)


def ceiling(evaluation: Evaluation, untrained: Game) -> dict[str, float]:
    """Returns the distances of the generator's samples; {} if these are not finite."""
    count = evaluation.config.count
    request = request_of(untrained, evaluation.dataset, count, evaluation.seed)
    try:
        data = evaluation.dataset
        fake = evaluation.metrics.generated(untrained, data.spec, request, data)
    except NonFiniteError:
        return {}
    return dict(distances(evaluation.metrics, evaluation.real, fake))


def distances(metrics: MetricSet, real: Collected, fake: Collected) -> Iterator[tuple[str, float]]:
    """Yields the first value of each metric that is a distance, if there are enough samples."""
    for metric in metrics.metrics.values():
        if not metric.lower_is_better or min(real.count or 0, fake.count or 0) < metric.minimum:
            continue
        value = first_value(metric, real, fake)
        if value is not None:
            name, number = value
            yield value_name(name, metrics.name) if metric.featured else name, number


def first_value(metric: Metric, real: Collected, fake: Collected) -> tuple[str, float] | None:
    """Returns name and value; None where the samples have none, e.g. too few of a class."""
    try:
        return next(iter(metric(real, fake).items()))
    except (NonFiniteError, ConfigError):
        return None
