"""What games share whose discriminator judges outputs made of "source", beside "target"."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan_cli.games.game import Batch, Game, Turn
from gan_cli.losses.terms import Terms


class JudgedOutputs(Game):
    """The generator plays first, so that the critic's first turn reuses its outputs."""

    critics = ("discriminator",)
    reads = frozenset({"source", "target"})
    conditional = False  # on labels
    augments = True
    passes = frozenset[str]()

    def inputs(self, target: str) -> tuple[str, ...]:  # noqa: ARG002
        return ("source",)

    def generate(self, source: Tensor) -> Tensor:
        """Returns the outputs (N, *shape) for sources."""
        output: Tensor = self.networks["generator"](source)
        return output

    def turns(self, step: int) -> Iterator[Turn]:
        self.objective.schedule(step)
        yield Turn("generator", self.generator_loss)
        yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def generator_loss(self, batch: Batch) -> Terms:
        """Returns the terms of the generator, and leaves its outputs in the batch as "fake"."""
        raise NotImplementedError

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        with torch.no_grad():
            fake = batch["fake"] if "fake" in batch else self.generate(batch["source"])
        critic = self.critic("discriminator", batch)
        return self.objective.critic_terms(critic, (batch["target"],), (fake,), due)
