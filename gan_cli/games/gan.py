"""The original game (Goodfellow et al. 2014, arXiv:1406.2661): a generator, a discriminator."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.data.spec import Spec
from gan_cli.games.game import Batch, Game, Turn, games
from gan_cli.losses.objective import Critic, Objective, Sample, Terms
from gan_cli.networks.layers.latent import draw_latent


@games.register("gan")
class GAN(Game):
    """Conditional whenever its networks are; AC-GAN when the discriminator also classifies.

    `classify` weighs the classification terms (discriminator, generator) of an auxiliary
    classifier; Odena et al. 2017 (arXiv:1610.09585) use (1, 1), WGAN-GP's AC-GAN (1, 0.1).

    `packing` samples are judged together: PacGAN, Lin et al. 2018 (arXiv:1712.04086), Section 2.
    To the loss and its penalties a pack is one sample of the product of as many distributions.
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator",)}
    critics = ("discriminator",)

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        classify: tuple[float, float] = (1.0, 1.0),
        packing: int = 1,
    ) -> None:
        super().__init__(networks, objective)
        self.classify, self.packing = classify, packing
        self.constrain()

    @classmethod
    def misfits(cls, config: Config) -> Iterator[str]:
        packing = config.model.game["packing"]
        parts = max(config.accumulate, 1) * int(os.environ.get("WORLD_SIZE", 1))
        at_once = config.batch_size // parts
        if packing < 1:
            yield f"model.game.packing: must be 1 or more, got {packing}"
        elif at_once % packing:
            yield (
                f"batch_size: packs of {packing} (model.game.packing) do not divide the {at_once} "
                f"samples played at once; take a multiple of {packing}"
            )
        conditioning = config.model.networks.get("discriminator", {}).get("conditioning", "none")
        if packing > 1 and conditioning != "none":
            yield (
                f"model.game.packing: a pack of {packing} has as many labels, and the "
                f"discriminator's conditioning={conditioning} reads one; set packing=1, or "
                "model.networks.discriminator.conditioning=none"
            )

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:
        """Packs have the channels (or features) of all their samples."""
        channels, *size = spec.shape
        packed = options["packing"] * channels if role in cls.critics else channels
        return replace(spec, shape=(packed, *size))

    def turns(self, step: int) -> Iterator[Turn]:
        """The generator's turn comes first, so that the critic's first can judge the same fakes:
        alternation has no beginning, and one generator pass a step is saved."""
        yield Turn("generator", self.generator_loss)
        yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        with torch.no_grad():
            fake = batch["fake"] if "fake" in batch else self.generate(batch)
        terms = self.objective.critic_terms(
            self.critic(batch), self.pack(batch["real"]), self.pack(fake), due
        )
        return terms | self.classification(batch["real"], batch, self.classify[0])

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.generate(batch)
        batch["fake"] = fake.detach()  # for the critic's turn on the same batch
        terms = self.objective.generator_terms(
            self.critic(batch), self.pack(fake), self.pack(batch["real"])
        )
        return terms | self.classification(fake, batch, self.classify[1])

    def critic(self, batch: Batch) -> Critic:
        return lambda image: self.networks["discriminator"](image, batch.get("label"))

    def pack(self, x: Tensor) -> Sample:
        """Joined along channels, (N, C, ...) to (N / packing, packing * C, ...)."""
        return (x.reshape(-1, self.packing * x.shape[1], *x.shape[2:]),)

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

    @torch.no_grad()
    def judge(self, samples: Tensor) -> Tensor | None:
        discriminator = self.networks["discriminator"]
        if self.packing > 1 or not getattr(discriminator, "pointwise", False):
            return None
        return discriminator(samples)

    def preview(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """Samples for the labels of the batch, in their order."""
        label = batch["label"].sort().values if "label" in batch else None
        return {"samples": self.sample(len(batch["real"]), rng, label)}
