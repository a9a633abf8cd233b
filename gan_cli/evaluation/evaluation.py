"""Evaluation of a run by all metrics of its config."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from gan_cli.config.schema import Metrics
from gan_cli.data.dataset import Dataset
from gan_cli.data.kinds import kind_of
from gan_cli.evaluation.collect import collect, dataset_protocol
from gan_cli.evaluation.contents import BATCH, batches_at
from gan_cli.evaluation.generated import request_of
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.evaluation.shares import share_of, together
from gan_cli.games.abilities import Evaluates
from gan_cli.games.draw import isolated_evaluation, logits_function
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.metrics.metric import Collected, at_a_time, naming_side
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.runtime.processes import Processes
from gan_cli.utils.memory import EVALUATION, memory_errors

MANY = 50_000  # samples, from which on it is checked before the training whether they fit
Drawn = dict[str | None, Collected]  # of a score, by field; None: the target of the data set
LogitsOf = Callable[[Tensor], Tensor | None]  # samples in model form to the critic's logits


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

    def draw(self, game: Game, processes: Processes) -> Drawn | None:
        """Returns the samples of a score by target, of which every process draws its share.

        They are complete on rank 0 alone, for `evaluate`. None if another process has failed.
        """
        found: Drawn = {}
        for target, one in ((None, self), *self.others.items()):
            if one.metrics.metrics:
                drawn = together(processes, partial(one.share, game, processes))
                if drawn is None:
                    return None
                found[target] = drawn
        return found

    @memory_errors(EVALUATION)
    def share(self, game: Game, processes: Processes) -> Collected:
        """Returns the samples that this process draws."""
        request = self.request(game)
        rows = share_of(len(request), processes.rank, processes.world)
        with naming_side("generated"):
            return self.metrics.drawn(game, self.dataset.spec, request, rows)

    def request(self, game: Game) -> Request:
        """Returns the request for the samples of a score, the same whenever it is asked for."""
        return request_of(game, self.dataset, self.config.count, self.seed)

    @memory_errors(EVALUATION)
    def evaluate(self, game: Game, drawn: Drawn | None = None) -> Scorecard:
        """Returns the metrics of samples of the game, and the game's own scores.

        The values of other fields have the suffix "_FIELD". `drawn` are samples from `draw`.
        """
        drawn = drawn or {}
        card = self.compare(game, drawn.get(None))
        for target, other in self.others.items():
            card |= other.compare(game, drawn.get(target)).named(target)
        if isinstance(game, Evaluates):
            with isolated_evaluation(game.networks):
                card |= game.evaluate(self.dataset)
        return card

    def compare(self, game: Game, drawn: Collected | None = None) -> Scorecard:
        """Returns the metrics of samples of the target, which are drawn unless they are given."""
        if not self.metrics.metrics:
            return Scorecard()
        request, spec = self.request(game), self.dataset.spec
        with naming_side("generated"):
            drawn = self.metrics.drawn(game, spec, request) if drawn is None else drawn
            fake = self.metrics.completed(drawn, game, spec, request, self.dataset)
        critic = logits_function(game)
        return self.metrics.score(
            *(self.with_critic_logits(side, critic) for side in (self.real, fake))
        )

    def with_critic_logits(self, side: Collected, critic: LogitsOf | None) -> Collected:
        """Adds the critic's logits to a side, if a metric needs them and there is a critic."""
        needed = "critic_logits" in self.metrics.needs
        if critic is None or side.samples is None or not needed:
            return side
        field = self.dataset.spec.fields[self.dataset.spec.target]
        to_model = kind_of(field).to_model
        batches = side.samples.split(min(BATCH, at_a_time(field.shape)))
        outputs = [critic(to_model(batch.to(self.metrics.device))) for batch in batches]
        logits = [logit.float().cpu() for logit in outputs if logit is not None]
        return replace(side, critic_logits=torch.cat(logits) if logits else None)


def facing(dataset: Dataset, target: str) -> Dataset:
    """Returns the data set with another target."""
    turned: Any = copy.copy(dataset)
    turned.spec = replace(dataset.spec, target=target)
    found: Dataset = turned
    return found
