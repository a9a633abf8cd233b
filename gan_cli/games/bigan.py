"""BiGAN (Donahue et al. 2017, arXiv:1605.09782) and ALI (Dumoulin et al. 2017, arXiv:1606.00704).

An encoder learns to invert the generator. The discriminator distinguishes pairs (x, E(x)) from
(G(z), z); generator and encoder are one player, which learns to fool it on both.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import NonNegative
from gan_cli.games.encoders import check_latents
from gan_cli.games.game import Batch, Game, PreviewContent, Turn, games
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic, GeneratorTurn, Sample
from gan_cli.losses.terms import Terms
from gan_cli.networks.layers.latent import draw_latent, draw_stages


@games.register("bigan")
class BiGAN(Game):
    """Bidirectional GAN: Equation 3 of BiGAN with any adversarial loss.

    `lambda_x` is the weight of |x - G(E(x))|^p and `lambda_z` that of |z - E(G(z))|^p. Both are
    means over elements, so that a weight has the same effect at every size. Without them, G(E(x))
    shares the content of x but not its details (ALICE, Li et al. 2017, arXiv:1709.01215, Section
    3.2).
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator", "encoder")}
    critics = ("discriminator",)
    averaged = ("generator", "encoder")
    conditional = False
    augments = True
    capturable = True
    passes = frozenset({"latents", "network"})

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        lambda_x: NonNegative = 0.0,
        lambda_z: NonNegative = 0.0,
        p: Literal[1, 2] = 2,
    ) -> None:
        super().__init__(networks, objective)
        check_latents(networks)
        objective.check_encodes()
        self.lambda_x, self.lambda_z, self.p = lambda_x, lambda_z, p
        self.constrain()

    def turns(self, step: int) -> Iterator[Turn]:
        """Yields the generator's turn first; the critic's first turn then reuses its pairs."""
        due = tuple(self.objective.penalties_of("generator", self.objective.schedule(step)))
        loss = partial(self.generator_loss, due=due)
        yield Turn("generator", loss, variant=due, after=self.after_generator)
        yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        with torch.no_grad():
            if "generated" not in batch:
                batch["latent"] = self.draw(batch)
                batch["generated"] = self.networks["generator"](batch["latent"])
                batch["inferred"] = self.networks["encoder"](batch["real"])
        critic = self.critic("discriminator", batch)
        return self.objective.critic_terms(critic, *pairs(batch), due)

    def critic(self, role: str, batch: Batch) -> Critic:  # noqa: ARG002
        """Returns the discriminator as a function of pairs (sample, latent)."""
        discriminator = self.networks[role]
        return lambda sample, latent: discriminator(self.augment(sample), latent)

    def generator_loss(self, batch: Batch, due: tuple[str, ...] = ()) -> Terms:
        real, latent = batch["real"], self.draw(batch)
        generated = self.networks["generator"](latent)
        inferred = self.networks["encoder"](real)
        made = {"latent": latent, "generated": generated, "inferred": inferred}
        batch |= {key: value.detach() for key, value in made.items()}  # for the critic's turn
        critic = self.critic("discriminator", batch)
        terms = self.objective.encoder_terms(critic, (real, inferred), (generated, latent))
        generator = self.networks["generator"]
        stages = partial(draw_stages, generator, None, real.device)
        turn = GeneratorTurn(generator, latent, generated, stages, network=generator)
        terms |= self.objective.generator_penalties(turn, due)
        return terms | self.cycle_terms(real, inferred, latent, generated)

    def cycle_terms(
        self, real: Tensor, inferred: Tensor, latent: Tensor, generated: Tensor
    ) -> Terms:
        """Reconstruction errors of samples and of latents, each only if its weight is not 0."""
        terms = {}
        if self.lambda_x:
            error = real - self.networks["generator"](inferred)
            terms["reconstruction_x"] = self.lambda_x * error.float().abs().pow(self.p).mean()
        if self.lambda_z:
            error = latent - self.networks["encoder"](generated)
            terms["reconstruction_z"] = self.lambda_z * error.float().abs().pow(self.p).mean()
        return Terms(terms)

    def draw(self, batch: Batch) -> Tensor:
        real = batch["real"]
        return draw_latent(self.networks["generator"], len(real), real.device)

    def sample(self, request: Request) -> Tensor:
        return self.synthesized(request)

    def encode(self, samples: Tensor) -> Tensor:
        """Returns latents (N, latent_dim) of samples (N, *shape) in model form."""
        return self.networks["encoder"](samples)

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns real samples x, each next to G(E(x))."""
        real = batch["real"]
        return {"reconstructions": (real, self.networks["generator"](self.encode(real)))}


def pairs(batch: Batch) -> tuple[Sample, Sample]:
    """Returns the pairs (x, E(x)) and (G(z), z)."""
    return (batch["real"], batch["inferred"]), (batch["generated"], batch["latent"])
