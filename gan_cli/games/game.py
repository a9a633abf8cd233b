"""A game: its networks, the players that train them, and the order of their turns."""

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn, optim

from gan_cli.augment import Augment, HasStrength, TransformsTogether
from gan_cli.augment.none import NoAugment
from gan_cli.config.registry import Component, Registry
from gan_cli.config.schema import Config
from gan_cli.data.dataset import Dataset
from gan_cli.data.spec import Spec
from gan_cli.games.abilities import Samples
from gan_cli.games.request import Request
from gan_cli.games.turn import Batch as Batch
from gan_cli.games.turn import PreviewContent as PreviewContent
from gan_cli.games.turn import Turn as Turn
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic
from gan_cli.losses.terms import Terms
from gan_cli.networks.layers.latent import HasStyles, check_truncation, seeded_latent
from gan_cli.networks.network import reads_labels


class Game:
    """Base class of games. A subclass declares its players and yields their turns."""

    players: ClassVar[Mapping[str, tuple[str, ...]]]  # player -> names of the networks it trains
    frozen: ClassVar[tuple[str, ...]] = ()  # networks of model.pretrained that are not trained
    critics: ClassVar[tuple[str, ...]] = ()  # networks that the objective's penalties differentiate
    reads: ClassVar[frozenset[str]] = frozenset({"real"})  # batch keys that the game reads
    conditional: ClassVar[bool] = True  # does it pass labels to conditional networks?
    averaged: ClassVar[tuple[str, ...]] = ("generator",)  # networks that have a moving average
    samples_from: ClassVar[str] = "generator"  # the network with the latents of samples, if any
    # By name of a health rule: what to try instead of its advice, which is for players and critics.
    advice: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    previewed: ClassVar[int | None] = None  # samples passed to preview(); None: the kind's default
    learns_to_sample: ClassVar[bool] = True  # False if samples come from frozen networks
    augments: ClassVar[bool] = False  # do its critics take samples, which can be augmented?
    augments_together: ClassVar[bool] = False  # and other images, under the same draw?
    relaxes: ClassVar[bool] = False  # do critics take integers as one-hots, if a penalty asks?
    # What penalties may need: "latents" of the generator, "network", "neighbours" (Penalty.needs).
    passes: ClassVar[frozenset[str]] = frozenset({"latents"})
    # May CUDA graphs replay its turns? Only if a loss keeps no Python state, reads no value of a
    # tensor, and sees what changes from step to step in tensors. Not inherited.
    capturable: ClassVar[bool] = False
    remembers: ClassVar[bool] = False  # do losses change state_dict(), as a pool of fakes does?
    objective: Objective  # set if the game has critics
    optimizers: Mapping[str, optim.Optimizer]  # by player; set by the run
    augment: Augment = NoAugment()
    packing: int = 1  # samples that a critic takes at a time

    def __init__(self, networks: nn.ModuleDict, objective: Objective | None = None) -> None:
        self.networks = networks
        if objective is not None:
            self.objective = objective

    # ---- Validation and construction

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:  # noqa: ARG003
        """Yields an error, with key and advice, for each setting that this game excludes."""
        yield from ()

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:  # noqa: ARG003
        """Returns the spec that the network `role` is built for, given the game's `options`."""
        return spec

    def look_at(self, dataset: Dataset) -> None:
        """Sets what networks take from the data before the training, such as their mean.

        Called once when a run is built, by every process, before older weights are loaded.
        """

    # ---- Training

    def turns(self, step: int) -> Iterator[Turn]:
        """Yields all turns of a step; they depend only on `step`."""
        raise NotImplementedError

    def critic_turns(self, player: str, loss: Callable[..., Terms], step: int) -> Iterator[Turn]:
        """Yields the critic's critic_steps turns, all but the first on new batches.

        `loss` takes a batch and `due`, the names of the critic's penalties applied at this step.
        """
        due = tuple(self.objective.penalties_of("critic", self.objective.schedule(step)))
        for i in range(self.objective.critic_steps):
            variant = (due, i > 0)  # the first one may reuse the fakes of the turn before it
            turn = partial(self.observing, loss, due=due)
            yield Turn(player, turn, i > 0, variant, self.after_critic)

    def observing(self, loss: Callable[..., Terms], batch: Batch, due: tuple[str, ...]) -> Terms:
        """Returns the terms of a critic's `loss`, with values of the augmentation to log."""
        terms = loss(batch, due=due)
        if not isinstance(self.augment, HasStrength):
            return terms
        return terms | Terms({}, self.augment.observed())

    def schedule(self, step: int) -> None:
        """Sets what the augmentation makes depend on `step`; called before the turns of a step."""
        if isinstance(self.augment, HasStrength):
            self.augment.schedule(step)

    def critic(self, role: str, batch: Batch) -> Critic:  # noqa: ARG002
        """Returns the network `role` as a function of samples, with augmentation and labels."""
        network = self.networks[role]
        return lambda samples: network(self.augment(samples))

    def augment_together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Augments images that a critic sees side by side, such as output and input, with one draw.

        For the critics of games that declare `augments_together`.
        """
        assert isinstance(self.augment, TransformsTogether), "build_game checks it"
        return self.augment.together(sample, *given)

    def after_critic(self, terms: Terms) -> None:
        """Clips weights, adapts penalties and the augmentation; called after a critic's turn."""
        self.constrain()
        self.objective.after(terms.observed)
        self.augment.after(terms.observed)

    def after_generator(self, terms: Terms) -> None:
        """Adapts penalties on the generator; called after its turn."""
        self.objective.after(terms.observed, "generator")

    def constrain(self) -> None:
        """Clips the weights of the critics if the loss requires it."""
        for role in self.critics:
            self.objective.constrain(self.networks[role])

    def place(self, device: torch.device) -> None:
        """Moves the scalars that change by schedules to the device, where CUDA graphs read them."""
        if hasattr(self, "objective"):
            self.objective.place(device)
        if isinstance(self.augment, HasStrength):
            self.augment.place(device)

    def state_dict(self) -> dict[str, Any]:
        """Returns the state besides that of networks, as plain tensors and containers."""
        state: dict[str, Any] = {"augment": self.augment.state_dict()}
        if penalties := self.objective.state_dict() if hasattr(self, "objective") else {}:
            state["penalties"] = penalties
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.augment.load_state_dict(state["augment"])
        if hasattr(self, "objective"):
            self.objective.load_state_dict(state.get("penalties", {}))

    def rank_state(self) -> dict[str, Any]:
        """Returns what of state_dict() differs between the processes of a run."""
        return {}

    def load_rank_state(self, state: dict[str, Any]) -> None:
        """Restores what rank_state() has returned in this process."""

    def with_networks(self, replacements: Mapping[str, nn.Module]) -> "Game":
        """Returns a copy of the game with other networks, such as their moving averages."""
        game = copy.copy(self)
        game.networks = nn.ModuleDict({**self.networks, **replacements})
        return game

    # ---- Samples

    def targets(self, spec: Spec) -> tuple[str, ...]:
        """Returns the batch keys that sample() can generate, the default first; () if none."""
        return (spec.target,) if isinstance(self, Samples) else ()

    def inputs(self, target: str) -> tuple[str, ...]:  # noqa: ARG002
        """Returns the batch keys that sample() needs in `request.given` to generate `target`."""
        return ()

    @property
    def labelled(self) -> bool:
        """Whether samples depend on a label."""
        if not self.conditional or "generator" not in self.networks:
            return False
        return reads_labels(self.networks["generator"])

    @property
    def device(self) -> torch.device:
        return next(self.networks.parameters()).device

    def latent(self, request: Request) -> Tensor:
        """Returns the latents (N, latent_dim) of a request, on the device."""
        latent = request.latent
        if latent is None:
            latent = seeded_latent(self.networks["generator"], request.noise, request.truncation)
        return latent.to(self.device)

    def synthesized(self, request: Request, label: Tensor | None = None) -> Tensor:
        """Returns what the generator makes of a request's latents or styles, in eval mode.

        A generator with `noise_size` gets its noise from the seeds; one with styles truncates them.
        """
        generator: Any = self.networks["generator"]
        options: dict[str, Any] = {}
        if size := getattr(generator, "noise_size", 0):
            options["noise"] = request.layer_noise.normal(size).to(self.device)
        if request.styles is not None:
            return generator.synthesis(request.styles.to(self.device), **options)
        check_truncation(generator, request.truncation, request.truncation_cutoff)
        if isinstance(generator, HasStyles) and request.truncation is not None:
            options["truncation"] = request.truncation
            options["truncation_cutoff"] = request.truncation_cutoff
        labels = () if label is None else (label,)
        return generator(self.latent(request), *labels, **options)

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:  # noqa: ARG002
        """Returns pictures besides samples, by name; called in eval mode, without gradients."""
        return {}


games: Registry[Game] = Registry("game")
