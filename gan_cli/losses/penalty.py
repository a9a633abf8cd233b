"""What a penalty is, and what it sees of a turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Count
from gan_cli.config.registry import Registry
from gan_cli.config.schedules import Schedule, Weight

Sample = tuple[Tensor, ...]  # what a critic sees: (image,) in a GAN, (image, latent) in a BiGAN
Critic = Callable[..., Tensor]  # samples to logits; conditioning and augmentation are bound
Stages = tuple[Tensor, Callable[[Tensor], Tensor]]  # styles, and the function from them to samples


def logits_and_gradient(
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
class TwoHeaded:
    """A critic with a second output, such as class logits, from the same pass.

    Called, it returns its logits alone, like other critics. The objective stores the second outputs
    for the samples that it is given, by side: "real" and "fake" in the critic's turn, "fake" in the
    generator's.
    """

    heads: Callable[..., tuple[Tensor, Tensor]]  # samples to logits and the second output
    outputs: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, *sample: Tensor) -> Tensor:
        return self.heads(*sample)[0]


def critic_pass(
    critic: Critic, sample: Sample, side: str, differentiate: bool = False
) -> tuple[Tensor, Callable[[], Sample]]:
    """`logits_and_gradient` that keeps the second output of a critic that has one."""
    if not isinstance(critic, TwoHeaded):
        return logits_and_gradient(critic, sample, differentiate)
    if not differentiate:
        logits, critic.outputs[side] = critic.heads(*sample)
        return logits, tuple
    passed: Any = torch.func.vjp(critic.heads, *sample, has_aux=True)  # its stub is a union
    logits, pull, critic.outputs[side] = passed
    return logits, lambda: pull(torch.ones_like(logits))


@dataclass
class CriticTurn:
    """A critic's turn, as a penalty on the critic sees it."""

    critic: Critic
    real: Sample
    fake: Sample
    real_gradient: Callable[[], Sample]
    fake_gradient: Callable[[], Sample]
    real_logits: Tensor | None = None  # of the same pass, (N, ...)
    fake_logits: Tensor | None = None
    neighbours: Callable[[float], Sample] | None = None  # fakes of latents moved by N(0, sigma^2)


@dataclass
class GeneratorTurn:
    """A generator's turn, as a penalty on the generator sees it."""

    generator: Callable[[Tensor], Tensor]  # latents (N, latent_dim) to fakes, conditioning bound
    latent: Tensor  # (N, latent_dim)
    fake: Tensor  # generator(latent), (N, *shape)
    stages: Callable[[int], Stages] | None = None  # see draw_stages; None: the generator has one
    observed: dict[str, Tensor] = field(default_factory=dict)  # values that penalties add to log
    network: nn.Module | None = None  # whose weights are trained

    def draw_stages(self, count: int) -> Stages:
        """Draws styles of `count` new samples, for the first labels of the batch.

        Returns them and the function from them to samples. Without styles, they are latents.
        """
        if self.stages is None:
            return self.latent[:count], self.generator
        return self.stages(count)


@dataclass(kw_only=True)
class Penalty:
    """A term of strength `weight`; a subclass computes it in __call__."""

    weight: Weight = Schedule(1.0)  # strength of the penalty
    every: Count = 1  # lazy regularization: applied every n-th step, n times as strong
    player: ClassVar[str] = "critic"  # or "generator": whose turn it is a term of
    differentiates: ClassVar[frozenset[str]] = frozenset()  # "real", "fake": gradients it wants
    by_gradient: ClassVar[bool] = True  # does it differentiate the critic by its samples?
    per_sample: ClassVar[bool] = True  # batch norm, which couples samples, would falsify it
    # What not every game offers: "network" and "neighbours" of a turn, or a critic that sees
    # "images" alone, which can be transformed.
    needs: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, turn: Any) -> Tensor:
        """Returns the unweighted penalty, 0-d, for a CriticTurn or a GeneratorTurn by `player`."""
        raise NotImplementedError


@runtime_checkable
class Remembers(Protocol):
    """A penalty with a state: tensors on the device, which are changed in place."""

    def place(self, device: torch.device) -> None:
        """Moves the state to the device, once."""
        ...

    def after(self, observed: Mapping[str, Tensor]) -> None:
        """Updates the state with what a turn has observed; called after each turn of `player`."""
        ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None: ...


penalties: Registry[Penalty] = Registry("penalty")
