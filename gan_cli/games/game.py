"""A game: the networks, the players who train them, and the order in which they move."""

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn, optim

from gan_cli.config.registry import Component, Registry
from gan_cli.config.schema import Config
from gan_cli.data.spec import Spec
from gan_cli.losses.objective import Objective, Terms

if TYPE_CHECKING:  # the metrics import the data sets
    from gan_cli.data.dataset import Dataset
    from gan_cli.metrics.scorecard import Scorecard

Batch = dict[str, Tensor]  # "real": (N, C, H, W) in [-1, 1], "label": (N,) int64, ...


@dataclass(frozen=True)
class Turn:
    """One optimizer step of one player."""

    player: str
    loss: Callable[[Batch], Terms]
    draw: bool = True  # play on a fresh batch, or on the one already on the table
    variant: Hashable = None  # what makes this turn's graph differ from the player's usual one
    after: Callable[[], None] | None = None  # once the optimizer has stepped: weight clipping


class Game:
    """Rules. A subclass names its players and yields their turns; the loop does the rest."""

    players: ClassVar[Mapping[str, tuple[str, ...]]]  # player -> names of the networks it trains
    frozen: ClassVar[
        tuple[str, ...]
    ] = ()  # networks that it takes from model.pretrained as they are
    critics: ClassVar[tuple[str, ...]] = ()  # networks that the objective's penalties differentiate
    reads: ClassVar[frozenset[str]] = frozenset({"real"})  # batch entries the game looks at
    conditional: ClassVar[bool] = True  # does it hand labels to networks that want them?
    averaged: ClassVar[tuple[str, ...]] = ("generator",)  # networks worth a moving average
    pictured: ClassVar[int] = 64  # samples of a batch for preview(); of vectors there are more
    objective: Objective  # of games with critics
    optimizers: Mapping[str, optim.Optimizer]  # of the players; a run hands them in

    def __init__(self, networks: nn.ModuleDict, objective: Objective | None = None) -> None:
        self.networks = networks
        if objective is not None:
            self.objective = objective

    @classmethod
    def misfits(cls, config: Config) -> Iterator[str]:  # noqa: ARG003
        """What of a config does not go with this game, each fault with its key and advice."""
        yield from ()

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:  # noqa: ARG003
        """What the network of `role` is built to fit, under these options of the game."""
        return spec

    def turns(self, step: int) -> Iterator[Turn]:
        """All turns of a step: the whole scheduling, a function of `step` alone."""
        raise NotImplementedError

    def critic_turns(self, player: str, loss: Callable[..., Terms], step: int) -> Iterator[Turn]:
        """The critic's own: critic_steps of them, all but the first on fresh batches.

        `loss` takes a batch and `due`, the penalties whose turn it is.
        """
        due = self.objective.due(step)
        for i in range(self.objective.critic_steps):
            variant = (due, i > 0)  # the first one may find what the turn before it has drawn
            yield Turn(player, partial(loss, due=due), i > 0, variant, self.constrain)

    def constrain(self) -> None:
        """Hold the critics to what the loss demands of their weights."""
        for role in self.critics:
            self.objective.constrain(self.networks[role])

    def preview(self, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
        """Pictures worth looking at, by name: (N, C, H, W) in [-1, 1]. `rng` is on the CPU."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """What the game remembers besides its networks."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass

    def with_networks(self, replacements: Mapping[str, nn.Module]) -> "Game":
        """The same rules over other networks (their moving averages, say)."""
        twin = copy.copy(self)
        twin.networks = nn.ModuleDict({**self.networks, **replacements})
        return twin


@runtime_checkable
class Samples(Protocol):
    """A game that draws samples: what metrics of generated data need."""

    def sample(self, count: int, rng: torch.Generator, label: Tensor | None = None) -> Tensor:
        """(count, *shape), images in [-1, 1]; `rng` is on the CPU."""
        ...


@runtime_checkable
class Judges(Protocol):
    """A game with a critic of samples: what its level sets are drawn from."""

    def judge(self, samples: Tensor) -> Tensor | None:
        """Samples (N, *shape) to logits (N,), without gradients.

        None if the critic is no function of one sample: of packs, labels or the whole batch.
        """
        ...


@runtime_checkable
class Evaluates(Protocol):
    """A game with scores of its own, for what its networks do beside drawing samples."""

    def evaluate(self, dataset: "Dataset") -> "Scorecard":
        """On data that no batch holds; in eval mode, without gradients."""
        ...


games: Registry[Game] = Registry("game")
