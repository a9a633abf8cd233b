"""BiGAN (Donahue et al. 2017, arXiv:1605.09782) and ALI (Dumoulin et al. 2017, arXiv:1606.00704).

An encoder learns to invert the generator: the discriminator tells pairs (x, E(x)) from (G(z), z),
and generator and encoder together, one player, make it err on both.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.games.encoders import check_latents, check_weights
from gan_cli.games.game import Batch, Game, Shown, Turn, games
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic, Made, Sample
from gan_cli.losses.terms import Terms
from gan_cli.networks.layers.latent import draw_latent


@games.register("bigan")
class BiGAN(Game):
    """Equation 3 of BiGAN, under any adversarial loss; its cycles are optional.

    `lambda_x` weighs |x - G(E(x))|^p and `lambda_z` |z - E(G(z))|^p, both means over elements, so
    that a weight means the same at every size. Without them G(E(x)) resembles x in kind more than
    in detail; ALICE (Li et al. 2017, arXiv:1709.01215, Section 3.2) explains why they are needed.
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator", "encoder")}
    critics = ("discriminator",)
    averaged = ("generator", "encoder")
    conditional = False
    augments = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        lambda_x: float = 0.0,
        lambda_z: float = 0.0,
        p: Literal[1, 2] = 2,
    ) -> None:
        super().__init__(networks, objective)
        check_weights(lambda_x=lambda_x, lambda_z=lambda_z)
        check_latents(networks)
        objective.check_encodes()
        self.lambda_x, self.lambda_z, self.p = lambda_x, lambda_z, p
        self.constrain()

    def turns(self, step: int) -> Iterator[Turn]:
        """In the order of the plain GAN: the critic's first turn judges the player's own pairs."""
        due = tuple(self.objective.of_player("generator", self.objective.schedule(step)))
        yield Turn("generator", partial(self.generator_loss, due=due), variant=due)
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
        """The discriminator as a function of pairs (sample, latent)."""
        discriminator = self.networks[role]
        return lambda sample, latent: discriminator(self.augment(sample), latent)

    def generator_loss(self, batch: Batch, due: tuple[str, ...] = ()) -> Terms:
        real, latent = batch["real"], self.draw(batch)
        generated = self.networks["generator"](latent)
        inferred = self.networks["encoder"](real)
        played = {"latent": latent, "generated": generated, "inferred": inferred}
        batch |= {key: value.detach() for key, value in played.items()}  # for the critic's turn
        critic = self.critic("discriminator", batch)
        terms = self.objective.encoder_terms(critic, (real, inferred), (generated, latent))
        made = Made(self.networks["generator"], latent, generated)
        terms |= self.objective.generator_penalties(made, due)
        return terms | self.cycles(real, inferred, latent, generated)

    def cycles(self, real: Tensor, inferred: Tensor, latent: Tensor, generated: Tensor) -> Terms:
        """Each is computed only if it has a weight: it costs a pass through a network."""
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
        return self.networks["generator"](self.latent(request))

    def encode(self, samples: Tensor) -> Tensor:
        """Latents (N, latent_dim) of samples (N, *shape) in model form."""
        return self.networks["encoder"](samples)

    def preview(self, batch: Batch) -> dict[str, Shown]:
        """Real samples, each beside G(E(x))."""
        real = batch["real"]
        return {"reconstructions": (real, self.networks["generator"](self.encode(real)))}


def pairs(batch: Batch) -> tuple[Sample, Sample]:
    """(x, E(x)) and (G(z), z)."""
    return (batch["real"], batch["inferred"]), (batch["generated"], batch["latent"])
