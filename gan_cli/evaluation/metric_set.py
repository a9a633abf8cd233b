"""The metrics of a config, and the features that they share."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from gan_cli.config.schema import Metrics
from gan_cli.data.dataset import Dataset
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field, Spec
from gan_cli.evaluation.collect import (
    EMBEDDED,
    KEPT,
    Progress,
    collect,
    collect_data,
    labelled,
    no_progress,
)
from gan_cli.evaluation.held_out import held_out_inputs, held_out_pairs
from gan_cli.evaluation.latents import latents_of
from gan_cli.evaluation.likelihoods import likelihood_of
from gan_cli.evaluation.shares import part_of
from gan_cli.games.draw import draw
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.metrics.counts import too_few
from gan_cli.metrics.metric import (
    Collected,
    Features,
    HasProtocol,
    Metric,
    Need,
    Opens,
    extractors,
    metrics,
    value_name,
)
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.utils.errors import ConfigError


class MetricSet:
    """The metrics of a config, and the features that they share.

    Without a `dataset` no features are built, since only saved statistics are compared.
    """

    def __init__(
        self,
        config: Metrics,
        dataset: Dataset | None,
        device: torch.device,
        progress: Progress = no_progress,
    ) -> None:
        self.config, self.device, self.progress = config, device, progress
        self.metrics: dict[str, Metric] = {
            name: metrics.build(node, where=f"metrics.compute.{name}")
            for name, node in config.compute.items()
        }
        self.needs: frozenset[Need] = frozenset().union(*(m.needs for m in self.metrics.values()))
        self.features: Features | None = None
        if dataset is not None and self.needs & EMBEDDED:
            check_kind(config.features["name"], target_of(dataset))
            self.features = extractors.build(config.features, dataset, device, where="metrics")

        for metric in self.metrics.values():
            if dataset is not None and isinstance(metric, Opens):
                metric.open(target_of(dataset), device)

        self.metric_protocols: dict[str, Any] = {
            name: metric.protocol(target_of(dataset))
            for name, metric in self.metrics.items()
            if dataset is not None and isinstance(metric, HasProtocol)
        }
        # How generated samples are rounded before they are compared with stored ones.
        self.rounding = "none" if dataset is None else kind_of(target_of(dataset)).rounding

    @property
    def name(self) -> str:
        """The name of the features."""
        return self.config.features["name"] if self.features is None else self.features.name

    def describe(self) -> dict[str, Any]:
        """Returns the entries of metric cards about the features."""
        return {} if self.features is None else self.features.describe()

    def protocol(self) -> dict[str, Any]:
        """Returns the entries of metric cards about the features and the metrics."""
        features = {"name": self.name, **self.describe()}
        return {"features": features, "rounding": self.rounding, **self.metric_protocols}

    def data(self, dataset: Dataset, limit: int | None) -> Collected:
        """Collects the side of a data set, or `limit` samples of it."""
        return collect_data(dataset, limit, self.features, self.needs, self.device, self.progress)

    def generated(
        self, game: Game, spec: Spec, request: Request, data: Dataset | None = None
    ) -> Collected:
        """Collects the side of generated samples, which are converted to stored form.

        `data` have the inputs of pairs, if a metric needs these.
        """
        return self.completed(self.drawn(game, spec, request), game, spec, request, data)

    def drawn(
        self, game: Game, spec: Spec, request: Request, rows: range | None = None
    ) -> Collected:
        """Draws and embeds the samples of a request, or those in `rows` of it."""
        rows = range(len(request)) if rows is None else rows
        if not self.needs & (EMBEDDED | KEPT):  # nothing of the samples themselves
            return Collected(len(rows))
        part = request if len(rows) == len(request) else part_of(request, rows)
        kind = kind_of(spec.fields[request.target or spec.target])
        labels = part.label if game.labelled else None
        batches = labelled(kind, draw(game, part), labels, rows.start)
        watched = self.progress(batches, len(part))
        return collect(watched, self.features, self.needs, self.device, len(part), rows.start)

    def completed(
        self, found: Collected, game: Game, spec: Spec, request: Request, data: Dataset | None
    ) -> Collected:
        """Adds what metrics need besides the samples of a request."""
        if "latents" in self.needs:
            field = spec.fields[request.target or spec.target]
            found = replace(found, latents=latents_of(game, request, field))
        if "likelihood" in self.needs:
            found = replace(found, likelihood=likelihood_of(game, data, spec, self.progress))
        if "pairs" not in self.needs or data is None:
            return found
        pairs = held_out_pairs(game, data, self.config.count, request.seeds[0])
        return replace(found, pairs=pairs, pair_inputs=held_out_inputs(game, data, len(pairs[0])))

    def check_count(self, side: str, count: int | None) -> None:
        """Raises ConfigError if a metric needs more than `count` samples."""
        for name, metric in self.metrics.items():
            if count is not None and count < metric.minimum:
                raise ConfigError(
                    f"metrics.compute.{name}: needs {metric.minimum} samples a side, and there are "
                    f"{count} {side} ones; {too_few(name, metric, count)}"
                )

    def score(self, real: Collected, fake: Collected) -> Scorecard:
        """Returns the values of all metrics."""
        card = Scorecard()
        for metric in self.metrics.values():
            values = metric(real, fake)
            if metric.featured:
                values = {value_name(key, self.name): value for key, value in values.items()}
            card.values |= values
            card.lower_is_better[next(iter(values))] = metric.lower_is_better
        card.warnings = [*count_warnings(real, "real"), *count_warnings(fake, "generated")]
        return card


def target_of(dataset: Dataset) -> Field:
    """Returns the field of the samples that a model generates."""
    return dataset.spec.fields[dataset.spec.target]


def check_kind(features: str, field: Field) -> None:
    """Raises ConfigError if the features do not take samples of this kind."""
    if field.kind not in extractors.entries[features].kinds:
        raise ConfigError(
            f"metrics.features: '{features}' does not take samples of kind {field.kind} and shape "
            f"{field.shape}; use metrics.features={kind_of(field).features}"
        )


def count_warnings(side: Collected, name: str) -> Iterator[str]:
    """Yields a warning if there are too few samples for the Frechet distance.

    The covariance of D features from at most D samples is singular, and the distance is biased.
    """
    moments = side.moments
    if moments is not None and moments.count is not None and moments.count <= len(moments.mean):
        yield (
            f"only {moments.count} {name} samples for features of {len(moments.mean)} dimensions: "
            "the Frechet distance is far too large; raise metrics.count"
        )
