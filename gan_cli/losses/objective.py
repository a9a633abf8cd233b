"""What a critic and a generator play for: one adversarial loss plus any penalties."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli.config.registry import Registry
from gan_cli.losses.penalty import (
    Critic,
    CriticTurn,
    GeneratorTurn,
    Penalty,
    Sample,
    logits_and_gradient,
)
from gan_cli.losses.terms import Terms
from gan_cli.utils.errors import ConfigError


class AdversarialLoss(Protocol):
    """A pair of functions of logits (N, ...), each to be minimized."""

    paired: bool  # does generator() need the real logits (relativistic losses)?

    def critic(self, real: Tensor, fake: Tensor) -> Tensor: ...

    def generator(self, fake: Tensor, real: Tensor | None) -> Tensor: ...

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The quantity that the critic's game estimates, under its proper name."""
        ...


@runtime_checkable
class HasDecisionBoundary(Protocol):
    """A loss whose logits have a boundary; Wasserstein's and the relativistic ones only rank."""

    def looks_real(self, logits: Tensor) -> Tensor:
        """Which logits speak for a real sample, bool (N, ...)."""
        ...


@runtime_checkable
class HasEncoderLoss(Protocol):
    """A loss for games that also move the real side, where an encoder makes a pair of an image.

    Paired losses do without: their generator's loss looks at both sides anyway.
    """

    def encoder(self, real: Tensor) -> Tensor:
        """The generator's loss with the roles of real and fake exchanged."""
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
    ) -> None:
        self.loss = loss
        self.looks_real = loss.looks_real if isinstance(loss, HasDecisionBoundary) else None
        self.penalties = dict(penalties)
        self.critic_steps = critic_steps
        self.weight_clip = weight_clip
        # 0-d tensors, so that a schedule neither recompiles a turn nor invalidates a CUDA graph.
        self.strength = {name: torch.zeros(()) for name in self.penalties}

    def schedule(self, step: int) -> tuple[str, ...]:
        """The penalties that `step` applies; sets their strengths to what the schedules say."""
        for name, penalty in self.penalties.items():
            self.strength[name].fill_(penalty.weight(step) * penalty.every)
        return tuple(name for name, penalty in self.penalties.items() if step % penalty.every == 0)

    def penalties_of(self, player: str, due: tuple[str, ...]) -> list[str]:
        """Those of the penalties `due` that are terms of the critic's, or the generator's, turn."""
        return [name for name in due if self.penalties[name].player == player]

    def critic_terms(
        self, critic: Critic, real: Sample, fake: Sample, due: tuple[str, ...]
    ) -> Terms:
        """Loss and penalties of the critic on samples of equal length N."""
        wanted = {side for name in due for side in self.penalties[name].differentiates}
        real, fake = as_float32(real), as_float32(fake)
        real_logits, real_gradient = logits_and_gradient(critic, real, "real" in wanted)
        fake_logits, fake_gradient = logits_and_gradient(critic, fake, "fake" in wanted)
        real_logits, fake_logits = real_logits.float(), fake_logits.float()
        round = CriticTurn(critic, real, fake, real_gradient, fake_gradient)
        terms = {"adversarial": self.loss.critic(real_logits, fake_logits)}
        for name in self.penalties_of("critic", due):
            terms[name] = self.strength[name] * self.penalties[name](round)
        return Terms(terms, self.observe(real_logits.detach(), fake_logits.detach()))

    def generator_terms(self, critic: Critic, fake: Sample, real: Sample) -> Terms:
        real_logits = critic(*real).float() if self.loss.paired else None
        return Terms({"adversarial": self.loss.generator(critic(*fake).float(), real_logits)})

    def generator_penalties(self, made: GeneratorTurn, due: tuple[str, ...]) -> Terms:
        """The penalties on the generator, such as mode seeking."""
        names = self.penalties_of("generator", due)
        return Terms({name: self.strength[name] * self.penalties[name](made) for name in names})

    def encoder_terms(self, critic: Critic, real: Sample, fake: Sample) -> Terms:
        """Of one player who makes both sides: the encoder of BiGAN the real one."""
        real_logits, fake_logits = critic(*real).float(), critic(*fake).float()
        terms = {"adversarial": self.loss.generator(fake_logits, real_logits)}
        if isinstance(self.loss, HasEncoderLoss) and not self.loss.paired:
            terms["adversarial_encoder"] = self.loss.encoder(real_logits)
        return Terms(terms)

    def check_encodes(self) -> None:
        """ConfigError unless encoder_terms reaches the real side, too."""
        if not (self.loss.paired or isinstance(self.loss, HasEncoderLoss)):
            raise ConfigError(
                f"loss.adversarial: {type(self.loss).__name__} does not say what an encoder "
                "minimizes; give it a method encoder(real), or choose loss=nonsaturating"
            )

    def observe(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        means = {"real_logits": real.mean(), "fake_logits": fake.mean()}
        return means | self.accuracy(real, fake) | self.loss.estimate(real, fake)

    def accuracy(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """How often the critic is right; of pairs under any loss: P(D(real) > D(fake)), ties half.

        The latter is the area under its ROC curve, from the N pairs of the batch.
        """
        shares = {"pair_accuracy": ((real - fake).sign().mean() + 1) / 2}
        if self.looks_real is not None:
            shares["real_accuracy"] = self.looks_real(real).float().mean()
            shares["fake_accuracy"] = 1 - self.looks_real(fake).float().mean()
        return shares

    @torch.no_grad()
    def constrain(self, critic: nn.Module) -> None:
        """Weight clipping (Arjovsky et al. 2017, Algorithm 1), if the loss asks for it."""
        if self.weight_clip is not None:
            parameters: list[Tensor] = list(critic.parameters())
            torch._foreach_copy_(parameters, self.clipped(parameters))

    def clipped(self, weights: list[Tensor]) -> list[Tensor]:
        """What `constrain` turns these weights into, as a function that can be differentiated."""
        if self.weight_clip is None:
            return weights
        return [weight.clamp(-self.weight_clip, self.weight_clip) for weight in weights]


def as_float32(sample: Sample) -> Sample:
    """Leaves for the penalties: bfloat16 from autocast would round the input gradients, too.

    Tokens stay integers.
    """
    return tuple(x.float() if x.is_floating_point() else x for x in sample)
