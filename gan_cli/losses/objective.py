"""What a critic and a generator play for: one adversarial loss plus any penalties."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli.config.registry import Registry
from gan_cli.config.schedules import Schedule
from gan_cli.utils.errors import ConfigError

Sample = tuple[Tensor, ...]  # what the critic sees: (image,) for a GAN, (image, latent) for a BiGAN
Critic = Callable[..., Tensor]  # a discriminator with its conditioning already bound


@dataclass
class Terms:
    """What a turn comes to: 0-d tensors by name."""

    losses: dict[str, Tensor]  # weighted; their sum is backpropagated
    observed: dict[str, Tensor] = field(default_factory=dict)  # detached; only logged

    def __or__(self, other: "Terms") -> "Terms":
        return Terms(self.losses | other.losses, self.observed | other.observed)


def mean_terms(parts: Sequence[Terms]) -> Terms:
    """Of terms of the same names."""
    if len(parts) == 1:
        return parts[0]
    losses, observed = [part.losses for part in parts], [part.observed for part in parts]
    return Terms(mean_by_name(losses), mean_by_name(observed))


def mean_by_name(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}


class AdversarialLoss(Protocol):
    """A pair of functions of logits (N, ...), each to be minimized."""

    paired: bool  # does generator() need the real logits (relativistic losses)?

    def critic(self, real: Tensor, fake: Tensor) -> Tensor: ...

    def generator(self, fake: Tensor, real: Tensor | None) -> Tensor: ...

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The quantity that the critic's game estimates, under its proper name."""
        ...


@runtime_checkable
class Decides(Protocol):
    """A loss whose logits have a boundary; Wasserstein's and the relativistic ones only rank."""

    def looks_real(self, logits: Tensor) -> Tensor:
        """Which logits speak for a real sample, bool (N, ...)."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A loss for games that also move the real side, where an encoder makes a pair of an image.

    Paired losses do without: their generator's loss looks at both sides anyway.
    """

    def encoder(self, real: Tensor) -> Tensor:
        """The generator's loss with the roles of real and fake exchanged."""
        ...


def judge(
    critic: Critic, sample: Sample, differentiate: bool = True
) -> tuple[Tensor, Callable[[], Sample]]:
    """The critic's logits, and their gradient with respect to the sample, in one forward pass.

    torch.func and not torch.autograd.grad: the two agree bit for bit, but only this one compiles.
    """
    if not differentiate:
        return critic(*sample), tuple
    logits, pull = torch.func.vjp(critic, *sample)  # type: ignore[misc]  # its stub is a union
    return logits, lambda: pull(torch.ones_like(logits))


@dataclass
class Round:
    """One critic round, as a penalty sees it."""

    critic: Critic
    real: Sample
    fake: Sample
    real_gradient: Callable[[], Sample]
    fake_gradient: Callable[[], Sample]


@dataclass(kw_only=True)
class Penalty:
    """A term on the critic, of strength `weight`; a subclass computes it in __call__."""

    weight: Schedule = Schedule(1.0)
    every: int = 1  # lazy regularization: applied every n-th step, n times as strong
    differentiates: ClassVar[frozenset[str]] = frozenset()  # "real", "fake": gradients it wants
    per_sample: ClassVar[bool] = True  # batch norm, which couples samples, would falsify it

    def __call__(self, round: Round) -> Tensor:
        raise NotImplementedError


losses: Registry[AdversarialLoss] = Registry("adversarial loss")
penalties: Registry[Penalty] = Registry("penalty")


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
        self.looks_real = loss.looks_real if isinstance(loss, Decides) else None
        self.penalties = dict(penalties)
        self.critic_steps = critic_steps
        self.weight_clip = weight_clip
        # 0-d tensors, so that a schedule neither recompiles a turn nor invalidates a CUDA graph.
        self.strength = {name: torch.zeros(()) for name in self.penalties}

    def due(self, step: int) -> tuple[str, ...]:
        """The penalties that `step` applies; sets their strengths to what the schedules say."""
        for name, penalty in self.penalties.items():
            self.strength[name].fill_(penalty.weight(step) * penalty.every)
        return tuple(name for name, penalty in self.penalties.items() if step % penalty.every == 0)

    def critic_terms(
        self, critic: Critic, real: Sample, fake: Sample, due: tuple[str, ...]
    ) -> Terms:
        """Loss and penalties of the critic on samples of equal length N."""
        wanted = {side for name in due for side in self.penalties[name].differentiates}
        # float32 leaves: what autocast left in bfloat16 would round the input gradients too.
        real, fake = (tuple(x.float() for x in sample) for sample in (real, fake))
        real_logits, real_gradient = judge(critic, real, "real" in wanted)
        fake_logits, fake_gradient = judge(critic, fake, "fake" in wanted)
        real_logits, fake_logits = real_logits.float(), fake_logits.float()
        round = Round(critic, real, fake, real_gradient, fake_gradient)
        terms = {"adversarial": self.loss.critic(real_logits, fake_logits)}
        for name in due:
            terms[name] = self.strength[name] * self.penalties[name](round)
        return Terms(terms, self.observe(real_logits.detach(), fake_logits.detach()))

    def generator_terms(self, critic: Critic, fake: Sample, real: Sample) -> Terms:
        real_logits = critic(*real).float() if self.loss.paired else None
        return Terms({"adversarial": self.loss.generator(critic(*fake).float(), real_logits)})

    def encoder_terms(self, critic: Critic, real: Sample, fake: Sample) -> Terms:
        """Of one player who makes both sides: the encoder of BiGAN the real one."""
        real_logits, fake_logits = critic(*real).float(), critic(*fake).float()
        terms = {"adversarial": self.loss.generator(fake_logits, real_logits)}
        if isinstance(self.loss, Encodes) and not self.loss.paired:
            terms["adversarial_encoder"] = self.loss.encoder(real_logits)
        return Terms(terms)

    def check_encodes(self) -> None:
        """ConfigError unless encoder_terms reaches the real side, too."""
        if not (self.loss.paired or isinstance(self.loss, Encodes)):
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
