"""Differentiable augmentation (DiffAugment): Zhao et al. 2020 (arXiv:2006.10738)."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from gan_cli.augment.augment import Stateless, augments
from gan_cli.augment.blit import translate
from gan_cli.augment.draws import box_mask, column, in_full_precision, uniform, whole
from gan_cli.config.ranges import Share
from gan_cli.utils.errors import ConfigError

Policy = Literal["color", "translation", "cutout"]


@augments.register("diffaugment")
class DiffAugment(Stateless):
    """Applies the transforms of `policy` to every image, in this order, each with its own draw.

    `translation` is the largest distance and `cutout` the side of the square, as shares of the
    size; zeros (medium gray) enter. The published policy for hundreds of images has all three
    transforms. Images are in [-1, 1], but nothing is clamped.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"image"})

    def __init__(
        self,
        *,
        policy: tuple[Policy, ...] = ("color", "translation", "cutout"),
        translation: Share = 0.125,
        cutout: Share = 0.5,
    ) -> None:
        if not policy:
            raise ConfigError("policy: is empty; use augment=none")
        twice = [name for name in policy if policy.count(name) > 1]
        if twice:
            raise ConfigError(f"policy: has '{twice[0]}' twice; name each transform once")
        self.policy, self.translation, self.cutout = policy, translation, cutout

    @in_full_precision
    def __call__(self, samples: Tensor) -> Tensor:
        return self.together(samples)[0]

    @in_full_precision
    def together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        for name in self.policy:
            if name == "color":
                sample = recolored(sample)
            elif name == "cutout":
                sample = self.cut_out(sample)
            else:
                images = (sample, *given)
                moved = self.translated(torch.cat(images, 1))
                sample, *given = moved.split([x.shape[1] for x in images], 1)
        return (sample, *given)

    def translated(self, images: Tensor) -> Tensor:
        """Moves images by whole pixels; zeros enter."""
        most = [int(size * self.translation + 0.5) for size in images.shape[2:]]
        down, right = (whole(images, -distance, distance) for distance in most)
        return translate(images, down, right, "zeros")

    def cut_out(self, images: Tensor) -> Tensor:
        """Sets a box to zero, whose middle is anywhere in the image."""
        size = images.shape[2:]
        sides = [int(length * self.cutout + 0.5) for length in size]
        # The middle of an even side is between two pixels, or at the border.
        middle = [
            whole(images, 0, length - side % 2) + side % 2 / 2
            for length, side in zip(size, sides, strict=True)
        ]
        box = box_mask(images, (middle[0], middle[1]), (sides[0], sides[1]))
        return images.masked_fill(box, 0)


def recolored(images: Tensor) -> Tensor:
    """Brightness + U(-0.5, 0.5), saturation * U(0, 2), contrast * U(0.5, 1.5), in this order.

    Saturation is the difference from the mean of the channels, contrast that from the mean of the
    image.
    """
    images = images + column(uniform(images, -0.5, 0.5))
    if images.shape[1] > 1:
        images = from_mean(images, 1, uniform(images, 0, 2))
    return from_mean(images, (1, 2, 3), uniform(images, 0.5, 1.5))


def from_mean(images: Tensor, axes: int | tuple[int, ...], factor: Tensor) -> Tensor:
    """Multiplies the difference from the mean over `axes` by `factor` (N,)."""
    mean = images.mean(axes, keepdim=True)
    return (images - mean) * column(factor) + mean
