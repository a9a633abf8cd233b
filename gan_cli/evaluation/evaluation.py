"""Evaluation of all metrics of a config, on two sets of samples or within a run."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan_cli.config.schema import Metrics
from gan_cli.data.dataset import Dataset
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field, Spec
from gan_cli.evaluation.collect import (
    BATCH,
    EMBEDDED,
    Progress,
    batches_at,
    collect,
    collect_data,
    dataset_protocol,
    labelled,
    no_progress,
)
from gan_cli.evaluation.generated import request_of
from gan_cli.evaluation.held_out import held_out_inputs, held_out_pairs
from gan_cli.evaluation.latents import latents_of
from gan_cli.games.abilities import Evaluates
from gan_cli.games.draw import draw, isolated_evaluation, logits_function
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.metrics.counts import too_few
from gan_cli.metrics.metric import (
    Collected,
    Features,
    Metric,
    Need,
    extractors,
    metrics,
    naming_side,
    value_name,
)
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.memory import EVALUATION, memory_errors

MANY = 50_000  # samples, from which on it is checked before the training whether they fit
LogitsOf = Callable[[Tensor], Tensor | None]  # samples in model form to the critic's logits


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

        # How generated samples are rounded before they are compared with stored ones.
        self.rounding = "none" if dataset is None else kind_of(target_of(dataset)).rounding

    @property
    def name(self) -> str:
        """The name of the features."""
        return self.config.features["name"] if self.features is None else self.features.name

    def describe(self) -> dict[str, Any]:
        """Returns the entries of metric cards about the features."""
        return {} if self.features is None else self.features.describe()

    def data(self, dataset: Dataset, limit: int | None) -> Collected:
        """Collects the side of a data set, or `limit` samples of it."""
        return collect_data(dataset, limit, self.features, self.needs, self.device, self.progress)

    def generated(
        self, game: Game, spec: Spec, request: Request, data: Dataset | None = None
    ) -> Collected:
        """Collects the side of generated samples, which are converted to stored form.

        `data` have the inputs of pairs, if a metric needs these.
        """
        kind = kind_of(spec.fields[request.target or spec.target])
        batches = labelled(kind, draw(game, request), request.label if game.labelled else None)
        watched = self.progress(batches, len(request))
        found = collect(watched, self.features, self.needs, self.device, len(request))
        if "latents" in self.needs:
            field = spec.fields[request.target or spec.target]
            found = replace(found, latents=latents_of(game, request, field))
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


class Evaluation:
    """Evaluates a run, always with the same real samples and the same latents.

    `others` are fields that the game can generate besides the target of the data set.
    """

    def __init__(
        self,
        config: Metrics,
        dataset: Dataset,
        device: torch.device,
        seed: int = 0,
        others: Sequence[str] = (),
    ) -> None:
        self.config, self.dataset, self.seed = config, dataset, seed
        self.others = {
            target: Evaluation(config, facing(dataset, target), device, seed)
            for target in (others if config.compute else ())
        }
        self.metrics = MetricSet(config, dataset, device)
        self.metrics.check_count("real", min(len(dataset), config.real_count or len(dataset)))

    def check_memory(self) -> None:
        """Raises OutOfMemoryError if both sides together would not fit; many samples only."""
        metrics, count = self.metrics, self.config.count + (self.config.real_count or 0)
        if metrics.metrics and count >= MANY:
            first = batches_at(self.dataset, torch.zeros(1).long())
            collect(first, metrics.features, metrics.needs, metrics.device, count)

    @cached_property
    def real(self) -> Collected:
        with naming_side("real"):
            return self.metrics.data(self.dataset, self.config.real_count)

    @cached_property
    def data_protocol(self) -> dict[str, Any]:
        """The entries of metric cards about the data set."""
        return dataset_protocol(self.dataset, self.config.real_count)

    @memory_errors(EVALUATION)
    def evaluate(self, game: Game) -> Scorecard:
        """Returns the metrics of samples of the game, and the game's own scores.

        The values of other fields have the suffix "_FIELD".
        """
        card = self.compare(game)
        for target, other in self.others.items():
            card |= other.compare(game).named(target)
        if isinstance(game, Evaluates):
            with isolated_evaluation(game.networks):
                card |= game.evaluate(self.dataset)
        return card

    def compare(self, game: Game) -> Scorecard:
        """Returns the metrics of samples of the target."""
        if not self.metrics.metrics:
            return Scorecard()
        request = request_of(game, self.dataset, self.config.count, self.seed)
        with naming_side("generated"):
            fake = self.metrics.generated(game, self.dataset.spec, request, self.dataset)
        critic = logits_function(game)
        return self.metrics.score(
            *(self.with_critic_logits(side, critic) for side in (self.real, fake))
        )

    def with_critic_logits(self, side: Collected, critic: LogitsOf | None) -> Collected:
        """Adds the critic's logits to a side, if a metric needs them and there is a critic."""
        needed = "critic_logits" in self.metrics.needs
        if critic is None or side.samples is None or not needed:
            return side
        spec = self.dataset.spec
        to_model = kind_of(spec.fields[spec.target]).to_model
        batches = side.samples.split(BATCH)
        outputs = [critic(to_model(batch.to(self.metrics.device))) for batch in batches]
        logits = [logit.float().cpu() for logit in outputs if logit is not None]
        return replace(side, critic_logits=torch.cat(logits) if logits else None)


def facing(dataset: Dataset, target: str) -> Dataset:
    """Returns the data set with another target."""
    turned: Any = copy.copy(dataset)
    turned.spec = replace(dataset.spec, target=target)
    found: Dataset = turned
    return found


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
