"""Joint latent regressor: Donahue et al. 2017 (arXiv:1605.09782), Section 4.1."""

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Count, NonNegative, Share
from gan_cli.games.encoders import check_latents
from gan_cli.games.game import Batch, PreviewContent, games
from gan_cli.games.gan import GAN
from gan_cli.losses.objective import Objective
from gan_cli.losses.terms import Terms


@games.register("latent_regressor")
class LatentRegressor(GAN):
    """A GAN with an encoder, trained by lambda_z |z - E(G(z))|^2 in the generator's turn.

    The square is a mean over all elements. The share `generator_share` of its gradient reaches the
    generator. With 0 the generator is trained as in a plain GAN; larger shares make latents easier
    to recover from images, at the cost of realism. The authors' code uses 0.25; 1 is known to
    degenerate.
    """

    players = {
        "discriminator": ("discriminator",),
        "generator": ("generator", "encoder"),
    }
    averaged = ("generator", "encoder")
    conditional = False
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        lambda_z: NonNegative = 10.0,
        generator_share: Share = 0.25,
        packing: Count = 1,
    ) -> None:
        super().__init__(networks, objective, packing=packing)
        check_latents(nn.ModuleDict({role: networks[role] for role in self.averaged}))
        self.lambda_z, self.generator_share = lambda_z, generator_share

    def generator_loss(self, batch: Batch, due: tuple[str, ...] = ()) -> Terms:
        latent = self.draw(batch)
        fake = self.generate(batch, latent)
        self.keep(batch, latent, fake)
        terms = self.adversarial_terms(batch, fake) | self.generator_penalties(
            batch, latent, fake, due
        )
        return terms | self.regression(fake, latent)

    def generate(self, batch: Batch, latent: Tensor | None = None) -> Tensor:
        return self.networks["generator"](self.draw(batch) if latent is None else latent)

    def regression(self, fake: Tensor, latent: Tensor) -> Terms:
        """Returns the weighted error of E(G(z)); the generator gets a share of its gradient."""
        scaled = fake.detach() + self.generator_share * (fake - fake.detach())
        error = F.mse_loss(self.networks["encoder"](scaled).float(), latent)
        return Terms({"reconstruction_z": self.lambda_z * error})

    def encode(self, samples: Tensor) -> Tensor:
        """Returns latents (N, latent_dim) of samples (N, *shape)."""
        return self.networks["encoder"](samples)

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns real samples x, each next to G(E(x))."""
        real = batch["real"]
        return {"reconstructions": (real, self.networks["generator"](self.encode(real)))}
