"""BiGAN (Donahue et al. 2017, arXiv:1605.09782) and ALI (Dumoulin et al. 2017, arXiv:1606.00704).

An encoder learns to invert the generator: the discriminator tells pairs (x, E(x)) from (G(z), z),
and generator and encoder together, one player, make it err on both.
"""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.games.encoders import beside, check_latents, check_weights
from gan_cli.games.game import Batch, Game, Turn, games
from gan_cli.losses.objective import Objective, Sample, Terms
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
        yield Turn("generator", self.generator_loss)
        yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        with torch.no_grad():
            if "generated" not in batch:
                batch["latent"] = self.draw(batch)
                batch["generated"] = self.networks["generator"](batch["latent"])
                batch["inferred"] = self.networks["encoder"](batch["real"])
        return self.objective.critic_terms(self.networks["discriminator"], *pairs(batch), due)

    def generator_loss(self, batch: Batch) -> Terms:
        real, latent = batch["real"], self.draw(batch)
        generated = self.networks["generator"](latent)
        inferred = self.networks["encoder"](real)
        played = {"latent": latent, "generated": generated, "inferred": inferred}
        batch |= {key: value.detach() for key, value in played.items()}  # for the critic's turn
        terms = self.objective.encoder_terms(
            self.networks["discriminator"], real=(real, inferred), fake=(generated, latent)
        )
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

    @torch.no_grad()
    def sample(self, count: int, rng: torch.Generator, label: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """`count` images; the latents come from `rng`, a generator on the CPU."""
        generator = self.networks["generator"]
        device = next(generator.parameters()).device
        return generator(draw_latent(generator, count, torch.device("cpu"), rng).to(device))

    @torch.no_grad()
    def encode(self, image: Tensor) -> Tensor:
        """Latents (N, latent_dim) of samples (N, *shape), images in [-1, 1]."""
        return self.networks["encoder"](image)

    @torch.no_grad()
    def reconstruct(self, image: Tensor) -> Tensor:
        """G(E(x)) of samples (N, *shape)."""
        return self.networks["generator"](self.encode(image))

    def preview(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """Samples, and reconstructions: each image of the batch with its own to the right."""
        real = batch["real"]
        found = beside(real, self.reconstruct(real))
        return {"samples": self.sample(len(real), rng), "reconstructions": found}


def pairs(batch: Batch) -> tuple[Sample, Sample]:
    """(x, E(x)) and (G(z), z)."""
    return (batch["real"], batch["inferred"]), (batch["generated"], batch["latent"])
