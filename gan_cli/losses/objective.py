"""The objective of critic and generator: one adversarial loss and any penalties."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli.config.registry import Registry
from gan_cli.config.schedules import Schedule
from gan_cli.losses.penalty import (
    Critic,
    CriticTurn,
    GeneratorTurn,
    Penalty,
    Remembers,
    Sample,
    critic_pass,
)
from gan_cli.losses.terms import Terms
from gan_cli.losses.top_k import learning_from_best
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.freezing import trainable


class AdversarialLoss(Protocol):
    """Losses of critic and generator as functions of logits (N, ...), to be minimized."""

    paired: bool  # does generator() need the real logits, as relativistic losses do?

    def critic(self, real: Tensor, fake: Tensor) -> Tensor: ...

    def generator(self, fake: Tensor, real: Tensor | None) -> Tensor: ...

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Returns the divergence or distance that the critic estimates, by name."""
        ...


@runtime_checkable
class HasDecisionBoundary(Protocol):
    """A loss whose logits have a decision boundary, unlike Wasserstein and relativistic losses."""

    def looks_real(self, logits: Tensor) -> Tensor:
        """Returns which logits classify a sample as real, bool (N, ...)."""
        ...


@runtime_checkable
class HasEncoderLoss(Protocol):
    """A loss for games in which an encoder makes the real side of a pair.

    Paired losses do not need it, since their generator's loss depends on both sides.
    """

    def encoder(self, real: Tensor) -> Tensor:
        """Returns the generator's loss with the roles of real and fake exchanged."""
        ...


losses: Registry[AdversarialLoss] = Registry("adversarial loss")


class Objective:
    """One adversarial loss and its penalties, shared by every game."""

    def __init__(
        self,
        loss: AdversarialLoss,
        penalties: Mapping[str, Penalty],
        critic_steps: int = 1,
        weight_clip: float | None = None,
        top_k: Schedule = Schedule(1.0),
    ) -> None:
        self.loss = loss
        self.looks_real = loss.looks_real if isinstance(loss, HasDecisionBoundary) else None
        self.penalties = dict(penalties)
        # Tuples of names by side: PyTorch 2.8 compiles no loop over a set.
        self.differentiates = {
            side: tuple(name for name, p in self.penalties.items() if side in p.differentiates)
            for side in ("real", "fake")
        }
        self.critic_steps = critic_steps
        self.weight_clip = weight_clip
        self.top_k = None if top_k.constant and top_k.start == 1 else top_k
        # 0-d tensors, so that a schedule neither recompiles a turn nor invalidates a CUDA graph.
        self.strength = {name: torch.zeros(()) for name in self.penalties}
        self.kept = torch.ones(())  # share of the fakes that the generator learns from

    def place(self, device: torch.device) -> None:
        """Moves the strengths and the state of penalties to the device."""
        self.strength = {name: value.to(device) for name, value in self.strength.items()}
        self.kept = self.kept.to(device)
        for penalty in self.remembering.values():
            penalty.place(device)

    def schedule(self, step: int) -> tuple[str, ...]:
        """Sets strengths and the share of top-k at `step`; returns the penalties applied."""
        if self.top_k is not None:
            self.kept.fill_(self.top_k(step))
        for name, penalty in self.penalties.items():
            self.strength[name].fill_(penalty.weight(step) * penalty.every)
        return tuple(name for name, penalty in self.penalties.items() if step % penalty.every == 0)

    def penalties_of(self, player: str, due: tuple[str, ...]) -> list[str]:
        """Returns those of the penalties `due` that belong to the critic or the generator."""
        return [name for name in due if self.penalties[name].player == player]

    def needs(self, what: str, due: tuple[str, ...]) -> bool:
        """Whether one of the penalties `due` needs this of a turn."""
        return any(what in self.penalties[name].needs for name in due)

    def critic_terms(
        self,
        critic: Critic,
        real: Sample,
        fake: Sample,
        due: tuple[str, ...],
        neighbours: Callable[[float], Sample] | None = None,
    ) -> Terms:
        """Returns loss and penalties of the critic on N real and N fake samples.

        `neighbours` makes the fakes of latents that are moved by N(0, sigma^2).
        """
        wants = {
            side: any(name in names for name in due) for side, names in self.differentiates.items()
        }
        real, fake = as_float32(real), as_float32(fake)
        real_logits, real_gradient = critic_pass(critic, real, "real", wants["real"])
        fake_logits, fake_gradient = critic_pass(critic, fake, "fake", wants["fake"])
        real_logits, fake_logits = real_logits.float(), fake_logits.float()
        logits = (real_logits, fake_logits)
        gradients = (real_gradient, fake_gradient)
        turn = CriticTurn(critic, real, fake, *gradients, *logits, neighbours)
        terms = {"adversarial": self.loss.critic(real_logits, fake_logits)}
        for name in self.penalties_of("critic", due):
            terms[name] = self.strength[name] * self.penalties[name](turn)
        return Terms(terms, self.observe(real_logits.detach(), fake_logits.detach()))

    def generator_terms(self, critic: Critic, fake: Sample, real: Sample) -> Terms:
        """Returns the loss of the generator."""
        real_logits = critic(*real).float() if self.loss.paired else None
        fake_logits, _ = critic_pass(critic, fake, "fake")
        logits = self.selected(fake_logits.float())
        return Terms({"adversarial": self.loss.generator(logits, real_logits)})

    def selected(self, fake_logits: Tensor) -> Tensor:
        """Returns the logits, of which only the largest have a gradient if top_k is set."""
        return fake_logits if self.top_k is None else learning_from_best(fake_logits, self.kept)

    def generator_penalties(self, turn: GeneratorTurn, due: tuple[str, ...]) -> Terms:
        """Returns the penalties on the generator, such as mode seeking."""
        names = self.penalties_of("generator", due)
        terms = {name: self.strength[name] * self.penalties[name](turn) for name in names}
        return Terms(terms, turn.observed)

    def encoder_terms(self, critic: Critic, real: Sample, fake: Sample) -> Terms:
        """Returns the loss of a player that makes both sides, as generator and encoder of BiGAN."""
        real_logits, fake_logits = critic(*real).float(), critic(*fake).float()
        terms = {"adversarial": self.loss.generator(self.selected(fake_logits), real_logits)}
        if isinstance(self.loss, HasEncoderLoss) and not self.loss.paired:
            terms["adversarial_encoder"] = self.loss.encoder(real_logits)
        return Terms(terms)

    def check_encodes(self) -> None:
        """Raises ConfigError if encoder_terms would not depend on the real side."""
        if not (self.loss.paired or isinstance(self.loss, HasEncoderLoss)):
            raise ConfigError(
                f"loss.adversarial: {type(self.loss).__name__} does not define the loss of an "
                "encoder; give it a method encoder(real), or choose loss=nonsaturating"
            )

    def observe(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Returns mean logits, accuracies and the estimate of the loss, for the log."""
        means = {"real_logits": real.mean(), "fake_logits": fake.mean()}
        return means | self.accuracy(real, fake) | self.loss.estimate(real, fake)

    def accuracy(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Returns the accuracies of the critic.

        pair_accuracy is P(D(real) > D(fake)) over the N pairs of the batch, with ties counting
        half, which estimates the area under the ROC curve; it is defined for every loss.
        """
        shares = {"pair_accuracy": ((real - fake).sign().mean() + 1) / 2}
        if self.looks_real is not None:
            shares["real_accuracy"] = self.looks_real(real).float().mean()
            shares["fake_accuracy"] = 1 - self.looks_real(fake).float().mean()
        return shares

    @property
    def remembering(self) -> dict[str, Remembers]:
        """The penalties that have a state, by name."""
        return {name: p for name, p in self.penalties.items() if isinstance(p, Remembers)}

    def after(self, observed: Mapping[str, Tensor], player: str = "critic") -> None:
        """Updates the state of the player's penalties with what its turn has observed."""
        for name in self.penalties_of(player, tuple(self.remembering)):
            self.remembering[name].after(observed)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Returns the state of penalties by name; empty if none has one."""
        return {name: penalty.state_dict() for name, penalty in self.remembering.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Restores the state of penalties; those that are new start with their own."""
        for name, penalty in self.remembering.items():
            if name in state:
                penalty.load_state_dict(state[name])

    @torch.no_grad()
    def constrain(self, critic: nn.Module) -> None:
        """Clips the weights (Arjovsky et al. 2017, Algorithm 1) if weight_clip is set."""
        if self.weight_clip is not None:
            parameters: list[Tensor] = [weight for _, weight in trainable(critic)]
            torch._foreach_copy_(parameters, self.clipped(parameters))

    def clipped(self, weights: list[Tensor]) -> list[Tensor]:
        """Returns the clipped weights, differentiably."""
        if self.weight_clip is None:
            return weights
        return [weight.clamp(-self.weight_clip, self.weight_clip) for weight in weights]


def as_float32(sample: Sample) -> Sample:
    """Returns inputs in float32, since bfloat16 from autocast would round the input gradients.

    Tokens stay integers.
    """
    return tuple(x.float() if x.is_floating_point() else x for x in sample)
