"""GAN (Goodfellow et al. 2014, arXiv:1406.2661), also conditional, AC-GAN and PacGAN."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Count, NonNegative
from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.data.spec import Spec
from gan_cli.games.game import Batch, Game, Turn, games
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic, GeneratorTurn, Sample, TwoHeaded
from gan_cli.losses.terms import Terms
from gan_cli.networks.layers.latent import draw_latent, draw_stages
from gan_cli.networks.network import reads_labels


@games.register("gan")
class GAN(Game):
    """A generator against a discriminator; conditional if its networks are.

    `classify` holds the weights of the classification terms (discriminator, generator) of AC-GAN,
    for discriminators with an auxiliary classifier. Odena et al. 2017 (arXiv:1610.09585) use
    (1, 1), and the discriminator classifies real and fake samples; that of WGAN-GP's code uses
    (1, 0.1) and classifies real ones only, which is classify_fakes=false.

    With `packing` > 1 the discriminator takes several samples at a time: PacGAN, Lin et al. 2018
    (arXiv:1712.04086), Section 2. The loss and its penalties treat a pack as one sample.
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator",)}
    critics = ("discriminator",)
    augments = True
    capturable = True
    passes = frozenset({"latents", "network", "neighbours"})

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        classify: tuple[NonNegative, NonNegative] = (1.0, 1.0),  # weights: discriminator, generator
        classify_fakes: bool = True,  # AC-GAN's discriminator classifies fakes, too
        packing: Count = 1,  # samples that the discriminator takes at a time (PacGAN)
    ) -> None:
        super().__init__(networks, objective)
        self.classify, self.classify_fakes, self.packing = classify, classify_fakes, packing
        self.constrain()

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        packing = config.model.game["packing"]
        parts = config.accumulate * int(os.environ.get("WORLD_SIZE", 1))
        at_once = config.batch_size // parts
        if at_once % packing:
            yield (
                f"batch_size: packs of {packing} (model.game.packing) do not divide the {at_once} "
                f"samples computed at once; use a multiple of {packing}"
            )
        discriminator = config.model.networks.get("discriminator", {})
        if packing > 1 and reads_labels(discriminator):
            reader, instead = discriminator["name"], "choose a discriminator that reads none"
            if "conditioning" in discriminator:
                reader = f"conditioning={discriminator['conditioning']}"
                instead = "model.networks.discriminator.conditioning=none"
            yield (
                f"model.game.packing: a pack of {packing} has as many labels, and the "
                f"discriminator's {reader} reads one; set packing=1, or {instead}"
            )

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:
        """Returns the spec of packs, which have the channels (or features) of all samples."""
        channels, *size = spec.shape
        packs = role in cls.critics and options["packing"] > 1
        return spec.with_shape((options["packing"] * channels, *size)) if packs else spec

    def turns(self, step: int) -> Iterator[Turn]:
        """Yields the generator's turn first, so that the critic's first turn reuses its fakes.

        Since turns alternate, the order matters only at step 0; it saves one pass of the generator.
        """
        due = tuple(self.objective.penalties_of("generator", self.objective.schedule(step)))
        loss = partial(self.generator_loss, due=due)
        yield Turn("generator", loss, variant=due, after=self.after_generator)
        yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        # Neighbours are made by the generator as it is, those of its turn before its step.
        if "fake" not in batch or self.objective.needs("neighbours", due):
            latent = self.draw(batch)
            with torch.no_grad():
                self.keep(batch, latent, self.generate(batch, latent))
        critic = self.critic("discriminator", batch)
        real, fake = self.pack(batch["real"]), self.pack(batch["fake"])
        neighbours = partial(self.neighbours, batch)
        terms = self.objective.critic_terms(critic, real, fake, due, neighbours)
        sides = ("real", "fake") if self.classify_fakes else ("real",)
        return terms | self.classification(critic, batch, sides, self.classify[0])

    def generator_loss(self, batch: Batch, due: tuple[str, ...] = ()) -> Terms:
        latent = self.draw(batch)
        fake = self.generate(batch, latent)
        self.keep(batch, latent, fake)
        return self.adversarial_terms(batch, fake) | self.generator_penalties(
            batch, latent, fake, due
        )

    def keep(self, batch: Batch, latent: Tensor, fake: Tensor) -> None:
        """Keeps fakes for the critic's turn on the same batch."""
        batch["fake"], batch["fake_latent"] = fake.detach(), latent

    @torch.no_grad()
    def neighbours(self, batch: Batch, sigma: float) -> Sample:
        """Returns fakes of the latents of the batch's fakes, moved by N(0, sigma^2)."""
        latent = batch["fake_latent"]
        return self.pack(self.generate(batch, latent + sigma * torch.randn_like(latent)))

    def adversarial_terms(self, batch: Batch, fake: Tensor) -> Terms:
        """Returns the adversarial and classification terms of the generator."""
        critic = self.critic("discriminator", batch)
        terms = self.objective.generator_terms(critic, self.pack(fake), self.pack(batch["real"]))
        return terms | self.classification(critic, batch, ("fake",), self.classify[1])

    def generator_penalties(
        self, batch: Batch, latent: Tensor, fake: Tensor, due: tuple[str, ...]
    ) -> Terms:
        """Returns the objective's penalties on the generator."""
        label = batch.get("label") if self.conditional else None
        network = self.networks["generator"]
        stages = partial(draw_stages, network, label, fake.device)
        generate = partial(self.generate, batch)
        turn = GeneratorTurn(generate, latent, fake, stages, network=network)
        return self.objective.generator_penalties(turn, due)

    def critic(self, role: str, batch: Batch) -> Critic:
        """Returns the discriminator as a function of packs (N / packing, packing * C, ...).

        If it also classifies, its class logits are the second output.
        """
        discriminator: Any = self.networks[role]
        label = batch.get("label")
        if discriminator.auxiliary:
            return TwoHeaded(lambda sample: class_heads(discriminator, self.augmented(sample)))
        return lambda pack: discriminator(self.augmented(pack), label)

    def augmented(self, pack: Tensor) -> Tensor:
        """Augments each sample of a pack independently."""
        if self.packing == 1:
            return self.augment(pack)
        samples = pack.reshape(-1, pack.shape[1] // self.packing, *pack.shape[2:])
        return self.augment(samples).reshape(pack.shape)

    def pack(self, x: Tensor) -> Sample:
        """Joins samples along channels: (N, C, ...) to (N / packing, packing * C, ...)."""
        return (x.reshape(-1, self.packing * x.shape[1], *x.shape[2:]),)

    def draw(self, batch: Batch) -> Tensor:
        """Draws a latent for each real sample, (N, latent_dim)."""
        real = batch["real"]
        return draw_latent(self.networks["generator"], len(real), real.device)

    def generate(self, batch: Batch, latent: Tensor | None = None) -> Tensor:
        """Returns fakes (N, *shape) for the labels of the batch."""
        latent = self.draw(batch) if latent is None else latent
        return self.networks["generator"](latent, batch.get("label"))

    def classification(
        self, critic: Critic, batch: Batch, sides: tuple[str, ...], weight: float
    ) -> Terms:
        """Returns the cross-entropy of the auxiliary classifier, if any: L_C, Equation 3 of AC-GAN.

        It is summed over the `sides` of the critic. The fakes of a generator that ignores labels
        have none.
        """
        if not isinstance(critic, TwoHeaded):
            return Terms({})
        losses, observed = [], {}
        for side in sides:
            if side == "real" or self.labelled:
                logits = critic.outputs[side].float()  # (N, classes)
                losses.append(F.cross_entropy(logits, batch["label"]))
                hits = (logits.detach().argmax(1) == batch["label"]).float().mean()
                observed[f"{side}_class_accuracy"] = hits
        if not losses:
            return Terms({})
        return Terms({"classification": weight * torch.stack(losses).sum()}, observed)

    def sample(self, request: Request) -> Tensor:
        label = None if request.label is None else request.label.to(self.device)
        return self.synthesized(request, label)

    @torch.no_grad()
    def logits(self, samples: Tensor) -> Tensor | None:
        discriminator = self.networks["discriminator"]
        if self.packing > 1 or not getattr(discriminator, "pointwise", False):
            return None
        return discriminator(samples)


def class_heads(discriminator: Any, sample: Tensor) -> tuple[Tensor, Tensor]:
    """Returns logits (N,) and class logits (N, classes) of an auxiliary classifier.

    Networks that have `logits_and_classes` compute both in one pass.
    """
    if hasattr(discriminator, "logits_and_classes"):
        logits, classes = discriminator.logits_and_classes(sample)
        return logits, classes
    return discriminator(sample), discriminator.classify(sample)
