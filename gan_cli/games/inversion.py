"""GAN inversion by an encoder: latent regression (Donahue et al. 2017, arXiv:1605.09782), f-AnoGAN.

The generator is pretrained and frozen.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import NonNegative
from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.data.dataset import Dataset
from gan_cli.games.encoders import check_codes
from gan_cli.games.game import Batch, Game, PreviewContent, Turn, games
from gan_cli.games.request import Request
from gan_cli.games.spaces import Space, check_space
from gan_cli.losses.objective import Objective
from gan_cli.losses.terms import Terms
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.networks import networks
from gan_cli.networks.layers.latent import draw_latent

EVALUATED = 1000  # latents that every evaluation inverts


@games.register("inversion")
class Inversion(Game):
    """lambda_z |z - E(G(z))|^2 + lambda_x |x - G(E(x))|^2 + lambda_f |f(x) - f(G(E(x)))|^2.

    All squares are means over elements. The first term is the latent regressor of BiGAN (Section
    4.1), called ziz in f-AnoGAN (Schlegl et al. 2019, Med. Image Anal. 54, Section 2.2); its
    latents are drawn from the prior. With `space` w, z stands for styles. The second is izi of
    f-AnoGAN, and with the third izi_f: x are real images and f the features of the frozen
    discriminator that the generator was trained against. Only these two terms train the encoder on
    real images.
    """

    players = {"encoder": ("encoder",)}
    frozen = ("generator", "discriminator")
    averaged = ("generator", "encoder")  # the average of a frozen network equals the network
    conditional = False
    learns_to_sample = False
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective | None = None,
        *,
        space: Space = "z",  # of the codes: z, latents, or w, styles
        lambda_z: NonNegative = 1.0,
        lambda_x: NonNegative = 0.0,
        lambda_f: NonNegative = 0.0,
    ) -> None:
        super().__init__(networks, objective)
        check_space(networks["generator"], space)
        check_codes(networks, space)
        self.space = space
        self.lambda_z, self.lambda_x, self.lambda_f = lambda_z, lambda_x, lambda_f
        for role in networks.keys() & set(self.frozen):
            networks[role].eval()  # batch norm uses the statistics of its training

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        options, pretrained = config.model.game, config.model.pretrained
        if "generator" not in pretrained:
            yield (
                "model.pretrained.generator: has no value; type model.pretrained.generator= the "
                "name of a run, or a checkpoint file"
            )
        if not any(options[f"lambda_{term}"] for term in "zxf"):
            yield "model.game.lambda_z: all weights are 0; set lambda_z=1, or lambda_x=1"
        if options["lambda_f"] and "discriminator" not in pretrained:
            yield (
                "model.game.lambda_f: weighs features of the generator's discriminator; type "
                "model.pretrained.discriminator= its run or checkpoint, too"
            )
        if options["lambda_f"]:
            yield from feature_errors(config.model.networks.get("discriminator"))
        if "latent_dim" in config.model.networks.get("discriminator", {}):
            yield (
                "model.pretrained.discriminator: takes pairs, so that its features depend on a "
                "latent, too; name the run of a GAN without encoder, or leave it out"
            )

    def turns(self, step: int) -> Iterator[Turn]:  # noqa: ARG002
        yield Turn("encoder", self.loss)

    def loss(self, batch: Batch) -> Terms:
        """Returns the terms whose weights are not 0."""
        real, terms = batch["real"], {}
        if self.lambda_z:
            latent = draw_latent(self.networks["generator"], len(real), real.device)
            code = self.code_of(latent)
            error = F.mse_loss(self.encode(self.generate(code)).float(), code)
            terms["reconstruction_z"] = self.lambda_z * error
        if self.lambda_x or self.lambda_f:
            rebuilt = self.generate(self.encode(real))
            if self.lambda_x:
                terms["reconstruction_x"] = self.lambda_x * F.mse_loss(rebuilt.float(), real)
            if self.lambda_f:
                error = F.mse_loss(self.features(rebuilt), self.features(real))
                terms["reconstruction_f"] = self.lambda_f * error
        return Terms(terms)

    def sample(self, request: Request) -> Tensor:
        return self.synthesized(request)

    def code_of(self, latent: Tensor) -> Tensor:
        """Returns the codes (N, D) that the encoder should find: latents, or their styles."""
        if self.space == "z":
            return latent
        generator: Any = self.networks["generator"]
        with torch.no_grad():
            return generator.styles(latent)[:, 0]

    def generate(self, code: Tensor) -> Tensor:
        """Returns the samples of codes, without noise."""
        generator: Any = self.networks["generator"]
        if self.space == "z":
            return generator(code)
        return generator.synthesis(code[:, None].expand(-1, generator.styled, -1))

    def encode(self, image: Tensor) -> Tensor:
        return self.networks["encoder"](image)

    def features(self, image: Tensor) -> Tensor:
        discriminator: Any = self.networks["discriminator"]
        return discriminator.features(image, None).float()

    def evaluate(self, dataset: Dataset) -> Scorecard:  # noqa: ARG002
        """Returns the mean squared errors of E(G(z)) and of G(E(G(z))) for a fixed set of latents.

        An encoder that returns the mean of the prior has a latent error equal to its variance: 1
        for a normal prior, 1/3 for a uniform one. With space=w the latents are styles.
        """
        latent = self.code_of(self.latent(Request(range(EVALUATED))))
        generated = self.generate(latent)
        inferred = self.encode(generated)
        errors = {
            "latent_mse": (inferred, latent),
            "image_mse": (self.generate(inferred), generated),
        }
        values = {name: F.mse_loss(a.float(), b.float()).item() for name, (a, b) in errors.items()}
        return Scorecard(values, {"latent_mse": True})

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns real and generated samples, each next to its reconstruction G(E(x))."""
        real = batch["real"]
        generated = self.generate(self.code_of(self.latent(Request(range(len(real))))))
        return {
            "reconstructions": (real, self.generate(self.encode(real))),
            "inversions": (generated, self.generate(self.encode(generated))),
        }


def feature_errors(discriminator: Component | None) -> Iterator[str]:
    """Yields why the features of a discriminator cannot be weighed by lambda_f."""
    if discriminator is None or discriminator.get("name") not in networks.entries:
        return  # reported elsewhere
    name, instead = discriminator["name"], "type lambda_f=0, or name another run"
    if not hasattr(networks.entries[name], "features"):
        yield f"model.game.lambda_f: the discriminator '{name}' has no features(); {instead}"
    if (layer := discriminator.get("minibatch", "none")) != "none":
        yield (
            f"model.game.lambda_f: the discriminator has minibatch={layer}, so that the features "
            f"of an image depend on the batch; {instead}"
        )
