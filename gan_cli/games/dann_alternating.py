"""Domain adaptation as a game of turns, with any adversarial loss."""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import torch
from torch import nn

from gan_cli.games.dann import DANN
from gan_cli.games.game import Batch, Turn, games
from gan_cli.losses.objective import Objective, Terms
from gan_cli.schedules import Schedule


@games.register("dann_alternating")
class AlternatingDANN(DANN):
    """DANN by turns: the critic takes its steps, then the classifier; no gradient is reversed.

    `confusion` is what the features play for. generator: the loss's own generator, of the target's
    features alone, as ADDA has it with nonsaturating (Tzeng et al. 2017, arXiv:1702.05464), here
    with one extractor for both domains. critic: against the critic's loss, with the features of
    both, which under wgan_gp is WDGRL (Shen et al. 2018, arXiv:1707.01217).
    """

    players = {
        "classifier": ("feature_extractor", "label_predictor"),
        "domain_discriminator": ("domain_discriminator",),
    }

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        adaptation: Schedule = Schedule(1.0),
        train_on: Literal["source", "target", "both"] = "source",
        confusion: Literal["generator", "critic"] = "generator",
    ) -> None:
        super().__init__(networks, objective, adaptation=adaptation, train_on=train_on)
        self.confusion = confusion

    def turns(self, step: int) -> Iterator[Turn]:
        due = self.objective.due(step)
        self.strength.fill_(self.adaptation(step))
        yield Turn("classifier", self.classifier_loss)
        for i in range(self.objective.critic_steps):
            play = partial(self.discriminator_loss, due=due)
            yield Turn("domain_discriminator", play, i > 0, due, self.constrain)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        with torch.no_grad():
            (source, target), _ = self.predict(batch)
        return self.objective.critic_terms(self.critic, source, target, due)

    def classifier_loss(self, batch: Batch) -> Terms:
        (source, target), logits = self.predict(batch)
        if self.confusion == "critic":
            confusion = -self.domain_loss(source, target)
        else:
            terms = self.objective.generator_terms(self.critic, target, source)
            confusion = terms.losses["adversarial"]
        adversarial = Terms({"adversarial": self.strength * confusion})
        return adversarial | self.classification(logits, batch)
