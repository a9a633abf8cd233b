"""Toy (b): a game on tokens; the generator draws integers and learns by policy gradient."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.games.game import Batch, Game, Turn, games
from gan_cli.losses.terms import Terms
from gan_cli.networks.network import networks

LETTERS = tuple("abcdef")
LENGTH = 5


@datasets.register("toy_words")
class Words(InMemory):
    provides = classmethod(lambda cls, options: frozenset({"real"}))

    def __init__(self, *, count: int = 64) -> None:
        tokens = (torch.arange(count)[:, None] + torch.arange(LENGTH)) % len(LETTERS)
        super().__init__({"real": tokens}, field=Field("tokens", vocabulary=LETTERS))


@networks.register("toy_writer")
class Writer(nn.Module):
    def __init__(self, spec) -> None:
        super().__init__()
        self.next = nn.Embedding(len(spec.fields[spec.target].vocabulary), len(LETTERS))

    def forward(self, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers (N, T) on [0, 1) to tokens (N, T) int64 and their log probabilities (N,)."""
        token, total = uniform.new_zeros(len(uniform), dtype=torch.long), uniform.new_zeros(())
        tokens: list[Tensor] = []
        for u in uniform.unbind(1):
            logits = self.next(token).log_softmax(1)
            token = (logits.exp().cumsum(1) < u[:, None]).sum(1).clamp(max=len(LETTERS) - 1)
            tokens, total = [*tokens, token], total + logits.gather(1, token[:, None])[:, 0]
        return torch.stack(tokens, 1), total


@networks.register("toy_reader")
def reader(spec) -> nn.Module:
    return nn.Sequential(
        nn.Embedding(len(LETTERS), 8), nn.Flatten(), nn.Linear(8 * LENGTH, 32), nn.ReLU(),
        nn.Linear(32, 1), nn.Flatten(0),
    )  # fmt: skip


@games.register("toy_seqgan")
class ToySeqGAN(Game):
    players = {"discriminator": ("discriminator",), "generator": ("generator",)}
    critics, augments = ("discriminator",), True

    def turns(self, step: int) -> Iterator[Turn]:
        yield Turn("generator", self.generator_loss)
        yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def generator_loss(self, batch: Batch) -> Terms:
        fake, log_probability = self.networks["generator"](
            torch.rand(batch["real"].shape, device=self.device)
        )
        reward = self.critic("discriminator", batch)(fake).sigmoid().detach()
        batch["fake"] = fake
        return Terms({"policy": -((reward - reward.mean()) * log_probability).mean()})

    def discriminator_loss(self, batch: Batch, due) -> Terms:
        assert batch["real"].dtype == batch["fake"].dtype == torch.int64
        critic = self.critic("discriminator", batch)
        return self.objective.critic_terms(critic, (batch["real"],), (batch["fake"],), due)

    def sample(self, request) -> Tensor:
        return self.networks["generator"](request.noise.uniform(LENGTH).to(self.device))[0]
