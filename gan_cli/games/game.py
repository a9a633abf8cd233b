"""A game: the networks, the players who train them, and the order in which they move."""

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn, optim

from gan_cli.augment import Augment
from gan_cli.augment.none import NoAugment
from gan_cli.config.registry import Component, Registry
from gan_cli.config.schema import Config
from gan_cli.data.spec import Spec
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic
from gan_cli.losses.terms import Terms
from gan_cli.networks.layers.latent import seeded_latent

if TYPE_CHECKING:
    from gan_cli.data.dataset import Dataset
    from gan_cli.metrics.scorecard import Scorecard

Batch = dict[str, Tensor]  # "real": (N, C, H, W) in [-1, 1], "label": (N,) int64, ...
# What a preview shows: samples (N, *shape), several of them side by side, or features (N, F) of
# several groups.
Shown = Tensor | tuple[Tensor, ...] | dict[str, Tensor]


def no_effect(terms: Terms) -> None:
    """The default of Turn.after."""


@dataclass(frozen=True)
class Turn:
    """One optimizer step of one player."""

    player: str
    loss: Callable[[Batch], Terms]
    draw: bool = True  # play on a fresh batch, or on that of the turn before
    variant: Hashable = None  # what makes this turn's graph differ from the player's usual one
    after: Callable[[Terms], None] = no_effect  # after the optimizer step: clipping, adaptation


class Game:
    """Rules. A subclass names its players and yields their turns; the loop does the rest."""

    players: ClassVar[Mapping[str, tuple[str, ...]]]  # player -> names of the networks it trains
    frozen: ClassVar[tuple[str, ...]] = ()  # networks from model.pretrained that stay as they are
    critics: ClassVar[tuple[str, ...]] = ()  # networks that the objective's penalties differentiate
    reads: ClassVar[frozenset[str]] = frozenset({"real"})  # batch entries the game looks at
    conditional: ClassVar[bool] = True  # does it hand labels to networks that want them?
    averaged: ClassVar[tuple[str, ...]] = ("generator",)  # networks that have a moving average
    previewed: ClassVar[int | None] = None  # samples that preview() gets; None: as many as suit
    learns_to_sample: ClassVar[bool] = True  # or are its samples those of frozen networks?
    augments: ClassVar[bool] = False  # do its critics see samples, which can be augmented?
    objective: Objective  # of games with critics
    optimizers: Mapping[str, optim.Optimizer]  # of the players; set by the run
    augment: Augment = NoAugment()

    def __init__(self, networks: nn.ModuleDict, objective: Objective | None = None) -> None:
        self.networks = networks
        if objective is not None:
            self.objective = objective

    # ---- What it is built from

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:  # noqa: ARG003
        """What of a config does not go with this game, each fault with its key and advice."""
        yield from ()

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:  # noqa: ARG003
        """The spec that the network of `role` is built to fit, under these options of the game."""
        return spec

    # ---- Training

    def turns(self, step: int) -> Iterator[Turn]:
        """All turns of a step: the whole scheduling, a function of `step` alone."""
        raise NotImplementedError

    def critic_turns(self, player: str, loss: Callable[..., Terms], step: int) -> Iterator[Turn]:
        """The critic's critic_steps turns, all but the first on fresh batches.

        `loss` takes a batch and `due`, the penalties that this step applies.
        """
        due = self.objective.schedule(step)
        for i in range(self.objective.critic_steps):
            variant = (due, i > 0)  # the first one may find what the turn before it has drawn
            yield Turn(player, partial(loss, due=due), i > 0, variant, self.after_critic)

    def critic(self, role: str, batch: Batch) -> Critic:  # noqa: ARG002
        """The network `role` as a function of samples: augmented, with conditioning bound."""
        network = self.networks[role]
        return lambda samples: network(self.augment(samples))

    def after_critic(self, terms: Terms) -> None:
        """After each critic turn: weight clipping and the augmentation's adaptive rule."""
        self.constrain()
        self.augment.after(terms.observed)

    def constrain(self) -> None:
        """Hold the critics to what the loss demands of their weights."""
        for role in self.critics:
            self.objective.constrain(self.networks[role])

    def state_dict(self) -> dict[str, Any]:
        """What the game remembers besides its networks, as plain tensors and containers."""
        return {"augment": self.augment.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.augment.load_state_dict(state["augment"])

    def with_networks(self, replacements: Mapping[str, nn.Module]) -> "Game":
        """The same rules with other networks, such as their moving averages."""
        twin = copy.copy(self)
        twin.networks = nn.ModuleDict({**self.networks, **replacements})
        return twin

    # ---- Samples

    def targets(self, spec: Spec) -> tuple[str, ...]:
        """The batch keys that sample() can generate, the usual one first; () if it makes none."""
        return (spec.target,) if isinstance(self, Samples) else ()

    def inputs(self, target: str) -> tuple[str, ...]:  # noqa: ARG002
        """The batch keys that sample() needs in `request.given` to generate `target`."""
        return ()

    @property
    def labelled(self) -> bool:
        """Whether samples depend on a label."""
        if not self.conditional or "generator" not in self.networks:
            return False
        return bool(getattr(self.networks["generator"], "conditional", False))

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device

    def latent(self, request: Request) -> Tensor:
        """The latents (N, latent_dim) of a request, on the device."""
        latent = request.latent
        if latent is None:
            latent = seeded_latent(self.networks["generator"], request.noise, request.truncation)
        return latent.to(self.device)

    def preview(self, batch: Batch) -> dict[str, Shown]:  # noqa: ARG002
        """What is worth looking at besides samples, by name; in eval mode, without gradients."""
        return {}


@runtime_checkable
class Samples(Protocol):
    """A game that draws samples: what metrics of generated data need."""

    def sample(self, request: Request) -> Tensor:
        """Samples (N, *shape) in model form; called in eval mode, without gradients."""
        ...


@runtime_checkable
class Judges(Protocol):
    """A game with a critic of samples: what its level sets are drawn from."""

    def logits(self, samples: Tensor) -> Tensor | None:
        """Samples (N, *shape) to logits (N,), without gradients.

        None if the critic is no function of one sample, but of packs, labels or the whole batch.
        """
        ...


@runtime_checkable
class Evaluates(Protocol):
    """A game with scores of its own, for what its networks do besides drawing samples."""

    def evaluate(self, dataset: "Dataset") -> "Scorecard":
        """Scores on data that no batch holds; called in eval mode, without gradients."""
        ...


games: Registry[Game] = Registry("game")
