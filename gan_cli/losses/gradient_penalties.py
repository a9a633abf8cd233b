"""Penalties on the critic's gradient with respect to what it sees."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.config.schedules import Schedule
from gan_cli.losses.penalty import Critic, Penalty, Round, Sample, logits_and_gradient, penalties


def joint(gradients: Sample) -> Tensor:
    """The gradients of all that the critic saw as one vector per sample: (N, D)."""
    return torch.cat([gradient.flatten(1) for gradient in gradients], 1)


def norm(gradients: Sample) -> Tensor:
    """Per-sample L2 norm (N,). At a zero gradient its own derivative is 0, where sqrt has inf."""
    return torch.linalg.vector_norm(joint(gradients), dim=1)


def interpolate(start: Sample, end: Sample) -> Sample:
    """A uniformly random point between the two; the parts of a sample share one coin per sample."""
    coin = start[0].new_empty(len(start[0])).uniform_()  # (N,)
    return tuple(
        x.lerp(y, coin.view(-1, *[1] * (x.ndim - 1))) for x, y in zip(start, end, strict=True)
    )


def gradient_norm(critic: Critic, sample: Sample) -> Tensor:
    _, gradient = logits_and_gradient(critic, sample)
    return norm(gradient())


@penalties.register("gradient_penalty")
@dataclass(kw_only=True)
class GradientPenalty(Penalty):
    """WGAN-GP, Gulrajani et al. 2017 (arXiv:1704.00028), Equation 3, between real and fake.

    Two-sided; `target` = 0 makes it the zero-centered penalty of Thanh-Tung et al. 2019
    (arXiv:1902.03984).
    """

    weight: Schedule = Schedule(10.0)
    target: float = 1.0

    def __call__(self, round: Round) -> Tensor:
        slope = gradient_norm(round.critic, interpolate(round.real, round.fake))
        return (slope - self.target).square().mean()


@penalties.register("dragan")
@dataclass(kw_only=True)
class Dragan(Penalty):
    """Kodali et al. 2017 (arXiv:1705.07215), Algorithm 1: slope `k` around the real data.

    As in the authors' code, the far end of the interpolation is x + noise * std(batch) * U(0, 1).
    """

    weight: Schedule = Schedule(10.0)
    k: float = 1.0
    noise: float = 0.5

    def __call__(self, round: Round) -> Tensor:
        moved = tuple(x + self.noise * x.std() * torch.rand_like(x) for x in round.real)
        slope = gradient_norm(round.critic, interpolate(round.real, moved))
        return (slope - self.k).square().mean()


@penalties.register("r1")
@dataclass(kw_only=True)
class R1(Penalty):
    """Mescheder et al. 2018 (arXiv:1801.04406), Equation 9: flat at the real data.

    `weight` is gamma of gamma / 2 * E |grad|^2, as in the paper, StyleGAN2 and R3GAN. The paper's
    own code leaves out the half: its 10 is a weight of 20 here.
    """

    weight: Schedule = Schedule(10.0)
    differentiates = frozenset({"real"})

    def __call__(self, round: Round) -> Tensor:
        return joint(round.real_gradient()).square().sum(1).mean() / 2


@penalties.register("r2")
@dataclass(kw_only=True)
class R2(Penalty):
    """Mescheder et al. 2018 (arXiv:1801.04406), Equation 10: flat at the generated data.

    `weight` is gamma of gamma / 2 * E |grad|^2, as for R1.
    """

    weight: Schedule = Schedule(10.0)
    differentiates = frozenset({"fake"})

    def __call__(self, round: Round) -> Tensor:
        return joint(round.fake_gradient()).square().sum(1).mean() / 2
