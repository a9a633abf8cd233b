"""Domain adaptation by alternating updates, with any adversarial loss."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import NonNegative
from gan_cli.config.schedules import Schedule, Weight
from gan_cli.games.dann import DANN
from gan_cli.games.game import Batch, Turn, games
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Sample
from gan_cli.losses.terms import Terms, mean_terms


@games.register("dann_alternating")
class AlternatingDANN(DANN):
    """DANN with alternating turns of classifier and critic instead of gradient reversal.

    `confusion` selects the loss that the features minimize. "generator": the generator's loss on
    target features, as in ADDA with loss=nonsaturating (Tzeng et al. 2017, arXiv:1702.05464), but
    with one extractor for both domains. "critic": the negated critic's loss on the features of both
    domains; with loss=wgan_gp this is WDGRL (Shen et al. 2018, arXiv:1707.01217).
    """

    players = {
        "classifier": ("feature_extractor", "label_predictor"),
        "domain_discriminator": ("domain_discriminator",),
    }
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        adaptation: Weight = Schedule(1.0),
        train_on: Literal["source", "target", "both"] = "source",
        reconstruction: NonNegative = 0.0,
        confusion: Literal["generator", "critic"] = "generator",
    ) -> None:
        super().__init__(
            networks,
            objective,
            adaptation=adaptation,
            train_on=train_on,
            reconstruction=reconstruction,
        )
        self.confusion = confusion

    def turns(self, step: int) -> Iterator[Turn]:
        self.strength.fill_(self.adaptation(step))
        yield Turn("classifier", self.classifier_loss)
        yield from self.critic_turns("domain_discriminator", self.discriminator_loss, step)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        with torch.no_grad():
            samples, _ = self.predict(batch)
        return self.critic_terms(samples, due)

    def classifier_loss(self, batch: Batch) -> Terms:
        samples, logits = self.predict(batch)
        by_critic = self.confusion == "critic"
        confusion = -self.domain_loss(samples) if by_critic else self.generator_loss(samples)
        adversarial = Terms({"adversarial": self.strength * confusion})
        return adversarial | self.classification(logits, batch) | self.decoding(samples, batch)

    def generator_loss(self, samples: list[Sample]) -> Tensor:
        """Returns the generator's loss with target features as fakes; mean over the sources."""
        terms = [
            self.objective.generator_terms(critic, target, source)
            for critic, source, target in self.critic_inputs(samples)
        ]
        return mean_terms(terms).losses["adversarial"]
