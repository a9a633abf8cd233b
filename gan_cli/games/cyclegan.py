"""CycleGAN (Zhu et al. 2017, arXiv:1703.10593): from image to image, learned without pairs."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Natural, NonNegative
from gan_cli.config.registry import Component
from gan_cli.config.schedules import Schedule, Weight
from gan_cli.data.dataset import Dataset, part_with, pick
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Spec
from gan_cli.games.game import Batch, Game, PreviewContent, Turn, games
from gan_cli.games.pool import Pool
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.reconstruction import distance
from gan_cli.losses.terms import Terms
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.utils.errors import ConfigError

EVALUATED = 64  # images that are translated there and back for the scores
OTHER = {"target": "source", "source": "target"}  # the sides, the default target first


@games.register("cyclegan")
class CycleGAN(Game):
    """Two generators, which translate in both directions, against a discriminator for each side.

    The generators minimize `adversarial` times their losses, plus `cycle` times the L1 distance
    between an image and what becomes of it there and back (Equation 2), plus `cycle` times
    `identity` times that between an image of the side that a generator makes and its output
    (Section 5.2). Discriminators see fakes out of pools of past ones (Section 4).
    """

    players = {
        "generators": ("to_target", "to_source"),
        "discriminators": ("discriminator_target", "discriminator_source"),
    }
    critics = ("discriminator_target", "discriminator_source")
    reads = frozenset(OTHER)
    averaged = ("to_target", "to_source")
    conditional = False
    augments = True
    capturable = True
    remembers = True
    passes = frozenset[str]()

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        cycle: Weight = Schedule(10.0),  # weight of the error of images translated there and back
        identity: NonNegative = 0.0,  # of images that need no translation, as a share of cycle
        adversarial: NonNegative = 1.0,  # weight of the adversarial losses of the generators
        pool: Natural = 50,  # past fakes that a discriminator is shown besides new ones; 0: none
    ) -> None:
        super().__init__(networks, objective)
        self.cycle, self.identity, self.adversarial = cycle, identity, adversarial
        self.cycles = not cycle.constant or cycle.start > 0
        # A tensor, so that a schedule neither recompiles a turn nor invalidates a CUDA graph.
        self.strength = torch.zeros(())
        self.pools = {side: Pool(pool) for side in OTHER}
        self.constrain()

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:
        """Returns the spec of a translation from "source" to "target", or of a critic's images.

        To the network `to_source`, the images of the target are the source.
        """
        sides = {side: spec.fields[side] for side in OTHER if side in spec.fields}
        if len(sides) < len(OTHER):
            return spec
        shapes = [sides[side].shape for side in ("source", "target")]
        if options["identity"] and shapes[0] != shapes[1]:
            raise ConfigError(
                "model.game.identity: gives images of the target to the generator that takes those "
                f"of the source, and their shapes differ, {shapes[0]} and {shapes[1]}; set "
                "model.game.identity=0"
            )
        kind, _, side = role.rpartition("_")
        if kind == "discriminator":
            return Spec({side: sides[side]}, side)
        fields = {"source": sides[OTHER[side]], "target": sides[side]}
        return replace(spec, fields=fields, target="target")

    def place(self, device: torch.device) -> None:
        super().place(device)
        self.strength = self.strength.to(device)

    def targets(self, spec: Spec) -> tuple[str, ...]:
        return (spec.target, OTHER[spec.target])

    def inputs(self, target: str) -> tuple[str, ...]:
        return (OTHER[target],)

    def turns(self, step: int) -> Iterator[Turn]:
        """Yields the turn of both generators, then those of both discriminators."""
        self.objective.schedule(step)
        self.strength.fill_(self.cycle(step))
        yield Turn("generators", self.generator_loss)
        yield from self.critic_turns("discriminators", self.discriminator_loss, step)

    def generator_loss(self, batch: Batch) -> Terms:
        terms = Terms({})
        for side in OTHER:
            fake = self.translate(batch, side)
            batch[f"fake_{side}"] = fake.detach()  # for the critics' turn on the same batch
            terms |= self.adversarial_terms(batch, side, fake) | self.cycle_terms(batch, side, fake)
        return terms

    def adversarial_terms(self, batch: Batch, side: str, fake: Tensor) -> Terms:
        critic = self.critic(f"discriminator_{side}", batch)
        terms = self.objective.generator_terms(critic, (fake,), (batch[side],))
        return terms.times(self.adversarial).named(side)

    def cycle_terms(self, batch: Batch, side: str, fake: Tensor) -> Terms:
        """Returns what fakes of a `side` miss of the images that they were made of, and identity.

        The term cycle_source is about images of the source that have become fakes of the target.
        """
        terms, start = {}, OTHER[side]
        if self.cycles:
            back = self.networks[f"to_{start}"](fake)
            terms[f"cycle_{start}"] = self.strength * distance("l1", back, batch[start])
        if self.cycles and self.identity:
            same = self.networks[f"to_{side}"](batch[side])
            weight = self.strength * self.identity
            terms[f"identity_{side}"] = weight * distance("l1", same, batch[side])
        return Terms(terms)

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        terms = Terms({})
        for side, pool in self.pools.items():
            with torch.no_grad():
                new = batch.get(f"fake_{side}")
                fake = pool.exchange(self.translate(batch, side) if new is None else new)
            critic = self.critic(f"discriminator_{side}", batch)
            terms |= self.objective.critic_terms(critic, (batch[side],), (fake,), due).named(side)
        return terms

    def translate(self, batch: Batch, side: str) -> Tensor:
        """Returns what the images of the other side become on this `side`, (N, *shape)."""
        return self.networks[f"to_{side}"](batch[OTHER[side]])

    def sample(self, request: Request) -> Tensor:
        side = request.target or "target"
        given: Any = request.given[OTHER[side]]
        return self.translate({OTHER[side]: given.to(self.device)}, side)

    def evaluate(self, dataset: Dataset) -> Scorecard:
        """Returns the errors of images translated there and back, as a share of the pixels' range.

        They are small for faithful translations, but also for those that only hide the image.
        """
        errors = {}
        for start, side in OTHER.items():
            image = first_images(dataset, start).to(self.device)
            back = self.translate({side: self.translate({start: image}, side)}, start)
            errors[f"cycle_l1_{start}"] = distance("l1", back, image).item() / 2
        return Scorecard(errors)

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns images of each side, each next to its translation and the way back."""
        there = {side: self.translate(batch, side) for side in OTHER}
        back = {start: self.translate(there, start) for start in OTHER}
        return {
            name: (batch[start], there[OTHER[start]], back[start])
            for name, start in (("cycles", "source"), ("cycles_source", "target"))
        }

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), **self.rank_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.load_rank_state(state)

    def rank_state(self) -> dict[str, Any]:
        return {"pools": {side: pool.state_dict() for side, pool in self.pools.items()}}

    def load_rank_state(self, state: dict[str, Any]) -> None:
        for side, pool in self.pools.items():
            pool.load_state_dict(state["pools"][side], self.device)


def first_images(dataset: Dataset, side: str) -> Tensor:
    """Returns at most EVALUATED images of a side (N, C, H, W), in model form."""
    part = part_with(dataset, side)
    stored = pick(part, side, torch.arange(min(len(part), EVALUATED)))
    return kind_of(part.spec.fields[side]).to_model(stored)
