"""Penalties on the gradient of the critic with respect to its inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.config.ranges import NonNegative
from gan_cli.config.schedules import Schedule, Weight
from gan_cli.losses.penalty import (
    Critic,
    CriticTurn,
    Penalty,
    Sample,
    logits_and_gradient,
    penalties,
)


def joint(gradients: Sample) -> Tensor:
    """Gradients with respect to all inputs of the critic as one vector per sample, (N, D)."""
    return torch.cat([gradient.flatten(1) for gradient in gradients], 1)


def norm(gradients: Sample) -> Tensor:
    """L2 norm for each sample, (N,).

    At a zero gradient all derivatives are 0. The first of vector_norm would be, too, but not the
    second, through which unrolled steps go.
    """
    gradient = joint(gradients)
    zero = torch.linalg.vector_norm(gradient.detach(), dim=1) == 0
    moved = gradient + zero[:, None].to(gradient.dtype)  # away from where it has no derivative
    return torch.linalg.vector_norm(moved, dim=1).masked_fill(zero, 0)


def interpolate(start: Sample, end: Sample) -> Sample:
    """Random points between `start` and `end`; the inputs of a sample share one uniform weight."""
    weight = start[0].new_empty(len(start[0])).uniform_()  # (N,)
    return tuple(
        x.lerp(y, weight.view(-1, *[1] * (x.ndim - 1))) for x, y in zip(start, end, strict=True)
    )


def gradient_norm(critic: Critic, sample: Sample) -> Tensor:
    """Norm of the gradient of the critic at each sample, (N,)."""
    _, gradient = logits_and_gradient(critic, sample)
    return norm(gradient())


@penalties.register("gradient_penalty")
@dataclass(kw_only=True)
class GradientPenalty(Penalty):
    """Two-sided gradient penalty at points between real and fake samples (WGAN-GP).

    Gulrajani et al. 2017 (arXiv:1704.00028), Equation 3. `target` = 0 gives the zero-centered
    penalty of Thanh-Tung et al. 2019 (arXiv:1902.03984).
    """

    weight: Weight = Schedule(10.0)
    target: NonNegative = 1.0

    def __call__(self, turn: CriticTurn) -> Tensor:
        norms = gradient_norm(turn.critic, interpolate(turn.real, turn.fake))
        return (norms - self.target).square().mean()


@penalties.register("dragan")
@dataclass(kw_only=True)
class Dragan(Penalty):
    """Gradient penalty with target norm `k` near real samples (DRAGAN).

    Kodali et al. 2017 (arXiv:1705.07215), Algorithm 1. As in the authors' code, the points lie
    between x and x + noise * std(batch) * U(0, 1).
    """

    weight: Weight = Schedule(10.0)
    k: NonNegative = 1.0
    noise: NonNegative = 0.5

    def __call__(self, turn: CriticTurn) -> Tensor:
        perturbed = tuple(x + self.noise * x.std() * torch.rand_like(x) for x in turn.real)
        norms = gradient_norm(turn.critic, interpolate(turn.real, perturbed))
        return (norms - self.k).square().mean()


@penalties.register("r1")
@dataclass(kw_only=True)
class R1(Penalty):
    """Squared gradient norm at real samples: Mescheder et al. 2018 (arXiv:1801.04406), Equation 9.

    `weight` is gamma in gamma / 2 * E |grad|^2, as in the paper, StyleGAN2 and R3GAN. The code of
    the paper omits the factor 1/2: its weight of 10 is 20 here.
    """

    weight: Weight = Schedule(10.0)
    differentiates = frozenset({"real"})

    def __call__(self, turn: CriticTurn) -> Tensor:
        return joint(turn.real_gradient()).square().sum(1).mean() / 2


@penalties.register("r2")
@dataclass(kw_only=True)
class R2(Penalty):
    """Squared gradient norm at fakes: Mescheder et al. 2018 (arXiv:1801.04406), Equation 10.

    `weight` is gamma in gamma / 2 * E |grad|^2, as for R1.
    """

    weight: Weight = Schedule(10.0)
    differentiates = frozenset({"fake"})

    def __call__(self, turn: CriticTurn) -> Tensor:
        return joint(turn.fake_gradient()).square().sum(1).mean() / 2
