"""Consistency regularization: a critic is to answer alike for samples that look alike."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import NonNegative, Positive, Range, Share
from gan_cli.config.schedules import Schedule, Weight
from gan_cli.losses.penalty import CriticTurn, GeneratorTurn, Penalty, penalties

Shift = Annotated[float, Range(least=0, most=0.5)]


@dataclass(kw_only=True)
class ImageConsistency(Penalty):
    """The transforms of CR and bCR: images are mirrored and moved at random."""

    weight: Weight = Schedule(10.0)  # strength of the penalty
    flip: Share = 0.5  # probability of mirroring left to right
    translation: Shift = 0.125  # largest distance, as a share of the size; 4 of 32 pixels
    by_gradient = False
    per_sample = False
    needs = frozenset({"images"})

    def moved_apart(self, turn: CriticTurn, side: Literal["real", "fake"]) -> Tensor:
        """E[(D(x) - D(T(x)))^2] on one side."""
        (image, *others), logits = (
            (turn.real, turn.real_logits) if side == "real" else (turn.fake, turn.fake_logits)
        )
        logits = turn.critic(image, *others) if logits is None else logits
        transformed = shifted(mirrored(image, self.flip), self.translation)
        return difference(logits, turn.critic(transformed, *others))


@penalties.register("cr")
@dataclass(kw_only=True)
class CR(ImageConsistency):
    """E[(D(x) - D(T(x)))^2] at real samples: Zhang et al. 2020 (arXiv:1910.12027), Equation 5."""

    def __call__(self, turn: CriticTurn) -> Tensor:
        return self.moved_apart(turn, "real")


@penalties.register("bcr")
@dataclass(kw_only=True)
class BalancedCR(ImageConsistency):
    """CR at real samples and at fakes: Zhao et al. 2020 (arXiv:2002.04724), Algorithm 1."""

    fake: NonNegative = 1.0  # strength at fakes, as a multiple of that at real samples

    def __call__(self, turn: CriticTurn) -> Tensor:
        return self.moved_apart(turn, "real") + self.fake * self.moved_apart(turn, "fake")


@penalties.register("zcr")
@dataclass(kw_only=True)
class LatentCR(Penalty):
    """E[(D(G(z)) - D(G(z + N(0, sigma^2))))^2]: Zhao et al. 2020, Algorithm 2, of the critic."""

    weight: Weight = Schedule(5.0)  # strength of the penalty
    sigma: Positive = 0.03  # standard deviation of what is added to latents
    by_gradient = False
    per_sample = False
    needs = frozenset({"neighbours"})

    def __call__(self, turn: CriticTurn) -> Tensor:
        assert turn.neighbours is not None, "validation refuses games that do not pass them"
        logits = turn.critic(*turn.fake) if turn.fake_logits is None else turn.fake_logits
        return difference(logits, turn.critic(*turn.neighbours(self.sigma)))


@penalties.register("zcr_generator")
@dataclass(kw_only=True)
class LatentDiversity(Penalty):
    """-E[(G(z) - G(z + N(0, sigma^2)))^2]: Zhao et al. 2020, Algorithm 2, of the generator.

    The counterpart of zcr, without which samples would not depend on latents. The squares are
    averaged over the values of a sample.
    """

    weight: Weight = Schedule(0.5)  # strength of the penalty
    sigma: Positive = 0.03  # standard deviation of what is added to latents
    player = "generator"
    by_gradient = False
    per_sample = False

    def __call__(self, turn: GeneratorTurn) -> Tensor:
        moved = turn.latent + self.sigma * torch.randn_like(turn.latent)
        return -difference(turn.fake, turn.generator(moved))


def difference(one: Tensor, other: Tensor) -> Tensor:
    return (one.float() - other.float()).square().mean()


def mirrored(images: Tensor, probability: float) -> Tensor:
    """Images (N, C, H, W), each mirrored left to right with a `probability`."""
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < probability
    return torch.where(chosen, images.flip(3), images)


def shifted(images: Tensor, share: float) -> Tensor:
    """Images, each moved by whole pixels up to a share of the size; the border is mirrored."""
    for axis in (2, 3):
        size = images.shape[axis]
        most = min(int(size * share + 0.5), size - 1)
        shift = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
        position = (torch.arange(size, device=images.device) - shift).abs()
        index = (size - 1) - ((size - 1) - position).abs()  # (N, size)
        shape = (-1, 1, size, 1) if axis == 2 else (-1, 1, 1, size)
        images = images.gather(axis, index.view(shape).expand_as(images))
    return images
