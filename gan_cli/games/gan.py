"""The original game (Goodfellow et al. 2014, arXiv:1406.2661): a generator, a discriminator."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.games.game import Batch, Game, Turn, games
from gan_cli.losses.objective import Critic, Objective, Terms
from gan_cli.networks.latent import draw_latent


@games.register("gan")
class GAN(Game):
    """Conditional whenever its networks are; AC-GAN when the discriminator also classifies.

    `classify` weighs the classification terms (discriminator, generator) of an auxiliary
    classifier; Odena et al. 2017 (arXiv:1610.09585) use (1, 1), WGAN-GP's AC-GAN (1, 0.1).
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator",)}
    critics = ("discriminator",)

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        classify: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__(networks, objective)
        self.classify = classify
        objective.constrain(networks["discriminator"])

    def turns(self, step: int) -> Iterator[Turn]:
        """The generator's turn comes first, so that the critic's first can judge the same fakes:
        alternation has no beginning, and one generator pass a step is saved."""
        due = self.objective.due(step)
        play = partial(self.discriminator_loss, due=due)
        yield Turn("generator", self.generator_loss)
        for i in range(self.objective.critic_steps):
            variant = (due, i > 0)  # the first one draws nothing
            yield Turn("discriminator", play, i > 0, variant, self.constrain)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        with torch.no_grad():
            fake = batch["fake"] if "fake" in batch else self.generate(batch)
        terms = self.objective.critic_terms(self.critic(batch), (batch["real"],), (fake,), due)
        return terms | self.classification(batch["real"], batch, self.classify[0])

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.generate(batch)
        batch["fake"] = fake.detach()  # for the critic's turn on the same batch
        terms = self.objective.generator_terms(self.critic(batch), (fake,), (batch["real"],))
        return terms | self.classification(fake, batch, self.classify[1])

    def constrain(self) -> None:
        self.objective.constrain(self.networks["discriminator"])

    def critic(self, batch: Batch) -> Critic:
        return lambda image: self.networks["discriminator"](image, batch.get("label"))

    def generate(self, batch: Batch) -> Tensor:
        real, generator = batch["real"], self.networks["generator"]
        return generator(draw_latent(generator, len(real), real.device), batch.get("label"))

    def classification(self, image: Tensor, batch: Batch, weight: float) -> Terms:
        """Equation 3 of AC-GAN: cross-entropy of the auxiliary classifier, if there is one."""
        if not self.networks["discriminator"].auxiliary:
            return Terms({})
        discriminator: Any = self.networks["discriminator"]
        logits = discriminator.classify(image).float()  # (N, classes)
        loss = F.cross_entropy(logits, batch["label"])
        hits = (logits.detach().argmax(1) == batch["label"]).float().mean()
        return Terms({"classification": weight * loss}, {"class_accuracy": hits})

    @torch.no_grad()
    def sample(self, count: int, rng: torch.Generator, label: Tensor | None = None) -> Tensor:
        """`count` images; the latents come from `rng`, a generator on the CPU."""
        generator = self.networks["generator"]
        device = next(generator.parameters()).device
        latent = draw_latent(generator, count, torch.device("cpu"), rng).to(device)
        return generator(latent, label if label is None else label.to(device))

    def preview(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """Samples for the labels of the batch, in their order."""
        label = batch["label"].sort().values if "label" in batch else None
        return {"samples": self.sample(len(batch["real"]), rng, label)}
