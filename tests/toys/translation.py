"""Toy (a): unpaired translation, gray to colour and back: two generators, critics and pools."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import datasets
from gan_cli.data.sets.domain import Domain
from gan_cli.data.sets.joint import JointDataset
from gan_cli.data.sets.synthetic import Synthetic
from gan_cli.games.game import Batch, Game, PreviewContent, Turn, games
from gan_cli.losses.terms import Terms
from gan_cli.networks.network import networks

OTHER = {"source": "target", "target": "source"}


@datasets.register("toy_unpaired")
class Unpaired(JointDataset):
    provides = classmethod(lambda cls, options: frozenset(OTHER))

    def __init__(self, *, size: int = 8, count: int = 48) -> None:
        sets = {k: Synthetic(size=size, channels=c, count=count, classes=0)
                for k, c in (("source", 1), ("target", 3))}  # fmt: skip
        super().__init__([Domain(s, k, torch.arange(count), s.spec.shape[0])
                          for k, s in sets.items()], "target")  # fmt: skip


@networks.register("toy_translator")
def translator(spec, *, to: str) -> nn.Module:
    inputs, outputs = (spec.fields[k].shape[0] for k in (OTHER[to], to))
    return nn.Sequential(nn.Conv2d(inputs, 8, 3, padding=1), nn.ReLU(),
                         nn.Conv2d(8, outputs, 3, padding=1), nn.Tanh())  # fmt: skip


@networks.register("toy_patch_critic")
def patch_critic(spec, *, of: str) -> nn.Module:
    return nn.Sequential(nn.Conv2d(spec.fields[of].shape[0], 8, 3, 2), nn.LeakyReLU(0.2),
                         nn.Conv2d(8, 1, 3), nn.Flatten())  # fmt: skip


@games.register("toy_translation")
class Translation(Game):
    players = {"critics": ("critic_source", "critic_target"), "generators": ("to_source", "to_target")}  # fmt: skip # noqa: E501
    critics = ("critic_source", "critic_target")
    reads, averaged, augments = frozenset(OTHER), ("to_source", "to_target"), True

    def __init__(self, networks, objective) -> None:
        super().__init__(networks, objective)
        self.pool: dict[str, Tensor] = {}

    def targets(self, spec) -> tuple[str, ...]:
        return (spec.target, OTHER[spec.target])

    def inputs(self, target: str) -> tuple[str, ...]:
        return (OTHER[target],)

    def turns(self, step: int) -> Iterator[Turn]:
        yield Turn("generators", self.generator_loss)
        yield from self.critic_turns("critics", self.critic_loss, step)

    def generator_loss(self, batch: Batch) -> Terms:
        terms = Terms({})
        for side in OTHER:
            fake = self.networks[f"to_{side}"](batch[OTHER[side]])
            batch[f"fake_{side}"] = fake.detach()
            back = self.networks[f"to_{OTHER[side]}"](fake)
            cycle = Terms({f"cycle_{side}": (back - batch[OTHER[side]]).abs().mean()})
            critic = self.critic(f"critic_{side}", batch)
            adversarial = self.objective.generator_terms(critic, (fake,), (batch[side],))
            terms |= adversarial.named(side) | cycle
        return terms

    def critic_loss(self, batch: Batch, due) -> Terms:
        terms = Terms({})
        for side in OTHER:
            past = self.pool.get(side, batch[f"fake_{side}"])
            self.pool[side] = torch.cat([batch[f"fake_{side}"], past])[: 4 * len(batch[side])]
            fake = self.pool[side].roll(len(batch[side]) // 2, 0)[: len(batch[side])]
            critic = self.critic(f"critic_{side}", batch)
            terms |= self.objective.critic_terms(critic, (batch[side],), (fake,), due).named(side)
        return terms

    def sample(self, request) -> Tensor:
        given = request.given[OTHER[request.target]]
        return self.networks[f"to_{request.target}"](given.to(self.device))

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        there = self.networks["to_target"](batch["source"])
        return {"cycles": (batch["source"], there, self.networks["to_source"](there))}

    def state_dict(self) -> dict:
        return {**super().state_dict(), "pool": self.pool}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.pool = state["pool"]
