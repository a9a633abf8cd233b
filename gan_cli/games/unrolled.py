"""Unrolled GAN (Metz et al. 2017, arXiv:1611.02163)."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gan_cli.config.ranges import Count, Range
from gan_cli.config.schema import Config
from gan_cli.games.game import Batch, Turn, games
from gan_cli.games.gan import GAN
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic
from gan_cli.losses.terms import Terms
from gan_cli.optim.differentiable import inner_step
from gan_cli.optim.optimizers import options_of
from gan_cli.utils.freezing import trainable

GAN_HINT = "0 is model.game.name=gan"
UNROLLABLE = ("adam", "adamw", "rmsprop", "sgd")


@games.register("unrolled_gan")
class UnrolledGAN(GAN):
    """A GAN whose generator plays against the discriminator after `unroll` further steps.

    Equations 7 to 9: theta_D^{k+1} = theta_D^k + eta df / dtheta_D^k on the generator's batch, and
    the gradient of f(theta_G, theta_D^K(theta_G, theta_D)) goes through all K steps. The steps are
    those that the discriminator's optimizer would take next; they are discarded afterwards, and the
    discriminator is updated by one step (Equation 11).
    """

    capturable = True
    passes = frozenset({"latents", "network"})  # steps ahead are computed on the same fakes

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        unroll: Annotated[int, Range(least=1, limit=1000, hint=GAN_HINT)] = 5,
        packing: Count = 1,
    ) -> None:
        super().__init__(networks, objective, packing=packing)
        self.unroll = unroll

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        yield from super().compatibility_errors(config)
        optimizer = options_of(config.optimizer, "discriminator")["name"]
        if optimizer not in UNROLLABLE:
            yield (
                f"optimizer: '{optimizer}' cannot be unrolled; for the discriminator use "
                f"optimizer.players.discriminator.name={' or '.join(UNROLLABLE)}"
            )
        if config.model.networks.get("discriminator", {}).get("conditioning") == "auxiliary":
            yield (
                "model.networks.discriminator.conditioning: an auxiliary classifier cannot be "
                "unrolled; use conditioning=projection or concat"
            )
        if config.device.compile:
            yield (
                "device.compile: unrolling differentiates twice, which torch.compile cannot; set "
                "device.compile=false"
            )
        if config.device.precision == "float16":
            yield (
                "device.precision: the gradients of the unrolled steps are not scaled and would "
                "underflow in float16; use bfloat16 or float32"
            )

    def turns(self, step: int) -> Iterator[Turn]:
        due = self.objective.schedule(step)
        generator, *others = super().turns(step)
        # The generator's turn contains unrolled steps of the critic, so all penalties are due.
        yield replace(generator, loss=partial(self.generator_loss, due=due), variant=due)
        yield from others

    def generator_loss(self, batch: Batch, due: tuple[str, ...] = ()) -> Terms:
        latent = self.draw(batch)
        fake = self.generate(batch, latent)
        self.keep(batch, latent, fake)
        critic = self.unrolled(batch, fake, due)
        terms = self.objective.generator_terms(critic, self.pack(fake), self.pack(batch["real"]))
        return terms | self.generator_penalties(batch, latent, fake, due)

    def unrolled(self, batch: Batch, fake: Tensor, due: tuple[str, ...]) -> Critic:
        """Returns the critic after K steps on `batch` and `fake`, differentiable by `fake`."""
        discriminator, real = self.networks["discriminator"], self.pack(batch["real"])
        names = [name for name, _ in trainable(discriminator)]
        weights = [p.detach().requires_grad_() for _, p in trainable(discriminator)]
        # Batch and spectral norm write to their buffers; copies keep the discriminator unchanged.
        buffers = {name: buffer.clone() for name, buffer in discriminator.named_buffers()}
        advance = inner_step(self.optimizers["discriminator"])

        def critic(pack: Tensor) -> Any:
            state = {**dict(zip(names, weights, strict=True)), **buffers}
            inputs = (self.augmented(pack), batch.get("label"))
            return functional_call(discriminator, state, inputs)

        for _ in range(self.unroll):
            terms = self.objective.critic_terms(critic, real, self.pack(fake), due)
            gradients = torch.autograd.grad(
                terms.total(), weights, create_graph=True, materialize_grads=True
            )
            weights = self.objective.clipped(advance(weights, gradients))
        return critic
