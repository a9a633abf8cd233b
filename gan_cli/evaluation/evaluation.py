"""All metrics at once over two sets of samples, and in a run without leaving a trace in it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from gan_cli.config.schema import Metrics
from gan_cli.data.dataset import Dataset
from gan_cli.data.feeds.decode import decode
from gan_cli.evaluation.collect import (
    BATCH,
    EMBEDDED,
    Batch,
    Watch,
    about,
    checked,
    collect,
    collect_data,
    unwatched,
)
from gan_cli.metrics.metric import Collected, Features, Metric, Need, extractors, metrics, shown
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.plots.critic_map import Judge
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.modes import evaluation_mode

Sampler = Callable[[int, torch.Generator], Batch]  # (count, rng on the CPU) -> images in [-1, 1]


Own = Callable[[Dataset], Scorecard]


class Panel:
    """The metrics of a config, built, and the features that they share.

    Without a `dataset` no features are built: there are no samples, only saved statistics.
    """

    def __init__(
        self,
        config: Metrics,
        dataset: Dataset | None,
        device: torch.device,
        watch: Watch = unwatched,
    ) -> None:
        self.config, self.device, self.watch = config, device, watch
        self.metrics: dict[str, Metric] = {
            name: metrics.build(node, where=f"metrics.compute.{name}")
            for name, node in config.compute.items()
        }
        self.needs: frozenset[Need] = frozenset().union(*(m.needs for m in self.metrics.values()))
        self.features: Features | None = None
        if dataset is not None and self.needs & EMBEDDED:
            check_shape(config.features["name"], tuple(dataset.spec.shape))
            self.features = extractors.build(config.features, dataset, device, where="metrics")

    @property
    def name(self) -> str:
        """Of the features."""
        return self.config.features["name"] if self.features is None else self.features.name

    def describe(self) -> dict[str, Any]:
        return {} if self.features is None else self.features.describe()

    def data(self, dataset: Dataset, limit: int | None) -> Collected:
        """A side that is a data set, or `limit` samples of it."""
        return collect_data(dataset, limit, self.features, self.needs, self.device, self.watch)

    def generated(self, sample: Sampler, count: int, seed: int) -> Collected:
        """A side that is drawn: the same `count` samples every time, rounded to uint8."""
        # A network may draw noise of its own, so the global streams are seeded, then put back.
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            rng = torch.Generator().manual_seed(seed)
            sizes = (min(BATCH, count - start) for start in range(0, count, BATCH))
            drawn = self.watch(checked(sample(size, rng) for size in sizes), count)
            return collect(drawn, self.features, self.needs, self.device)

    def check_count(self, side: str, count: int | None) -> None:
        for name, metric in self.metrics.items():
            if count is not None and count < metric.minimum:
                raise ConfigError(
                    f"metrics.compute.{name}: needs {metric.minimum} samples a side, and there are "
                    f"{count} {side} ones; leave it out, or give it more"
                )

    def score(self, real: Collected, fake: Collected) -> Scorecard:
        card = Scorecard()
        for metric in self.metrics.values():
            values = metric(real, fake)
            if metric.featured:
                values = {shown(key, self.name): value for key, value in values.items()}
            card.values |= values
            card.headlines[next(iter(values))] = metric.lower_is_better
        card.warnings = [*few(real, "real"), *few(fake, "generated")]
        return card


class Evaluation:
    """Scores of a run: always the same real samples, always the same latents."""

    def __init__(
        self, config: Metrics, dataset: Dataset, device: torch.device, seed: int = 0
    ) -> None:
        self.config, self.dataset, self.seed = config, dataset, seed
        self.panel = Panel(config, dataset, device)
        self.panel.check_count("real", min(len(dataset), config.real_count or len(dataset)))

    @cached_property
    def real(self) -> Collected:
        return self.panel.data(self.dataset, self.config.real_count)

    @cached_property
    def about_data(self) -> dict[str, Any]:
        """For metric cards."""
        return about(self.dataset, self.config.real_count)

    def evaluate(
        self,
        sample: Sampler,
        network: nn.Module,
        own: Own | None = None,
        judge: Judge | None = None,
    ) -> Scorecard:
        """Of `sample`, which draws from `network` with the CPU generator handed to it, and of
        `own`, the scores that a game has for itself. `judge` serves metrics that ask a critic."""
        with torch.no_grad(), evaluation_mode(network):
            card = Scorecard()
            if self.panel.metrics:
                fake = self.panel.generated(sample, self.config.count, self.seed)
                card = self.panel.score(self.judged(self.real, judge), self.judged(fake, judge))
            return card if own is None else card | own(self.dataset)

    def judged(self, side: Collected, judge: Judge | None) -> Collected:
        """With the critic's logits, if a metric wants them and there is such a critic."""
        if judge is None or side.samples is None or "judged" not in self.panel.needs:
            return side
        batches = (batch.to(self.panel.device) for batch in side.samples.split(BATCH))
        found = [judge(decode({"real": batch}, None)["real"]) for batch in batches]
        logits = [logit.float().cpu() for logit in found if logit is not None]
        return replace(side, judged=torch.cat(logits) if logits else None)


def check_shape(features: str, shape: tuple[int, ...]) -> None:
    if len(shape) != extractors.entries[features].dimensions:
        advice = "identity" if len(shape) == 1 else "random"
        raise ConfigError(
            f"metrics.features: '{features}' cannot take samples of shape {shape}; "
            f"use metrics.features={advice}"
        )


def few(side: Collected, name: str) -> Iterator[str]:
    """A covariance of D dimensions from fewer samples is singular, and the distance is biased."""
    moments = side.moments
    if moments is not None and moments.count is not None and moments.count <= len(moments.mean):
        yield (
            f"only {moments.count} {name} samples for features of {len(moments.mean)} dimensions: "
            "the Frechet distance is far too large; raise metrics.count"
        )
