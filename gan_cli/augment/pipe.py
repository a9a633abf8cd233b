"""The transforms of ADA (Karras et al. 2020, arXiv:2006.06676, Appendix B) in their order."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.augment.bands import amplify, normalized
from gan_cli.augment.blit import flip, rotate90, translate
from gan_cli.augment.color import ColorMap, product
from gan_cli.augment.draws import box_mask, column, happens, normal, power_of_two, uniform, whole
from gan_cli.augment.geometry import transform
from gan_cli.config.ranges import Share

DISTANCE = 0.125  # of translations: at most, and standard deviation of the fractional ones
STRETCH = 0.2  # standard deviation of log2 of scales
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # standard deviations, the last two of log2
AMPLITUDE = 1.0  # standard deviation of log2 of the gain of a frequency band
NOISE = 0.1  # standard deviation of that of the noise
CUTOUT = 0.5  # side of the square, as a share of the image's
# Types of devices on which only the images that move are resampled. Others would be waited for.
SELECTING = {"cpu"}


@dataclass(kw_only=True)
class Pipe:
    """Random transforms; each option is the probability of one of them as a share of p.

    The strengths are those of the paper. Images of one channel have no hue, saturation and luma to
    flip; hue is that of three channels.
    """

    flip: Share = 1.0  # left to right, of every second one
    rotate90: Share = 1.0  # by 0 to 3 quarters of a turn
    translation: Share = 1.0  # by whole pixels, up to 1/8 of the size
    scale: Share = 1.0  # by 2^N(0, 0.2^2)
    rotation: Share = 1.0  # by any angle
    anisotropy: Share = 1.0  # width by 2^N(0, 0.2^2), height by the inverse
    shift: Share = 1.0  # by N(0, 1/8^2) of the size
    brightness: Share = 1.0  # plus N(0, 0.2^2)
    contrast: Share = 1.0  # times 2^N(0, 0.5^2)
    luma_flip: Share = 1.0  # light to dark with the same hue, of every second one
    hue: Share = 1.0  # rotated by any angle
    saturation: Share = 1.0  # times 2^N(0, 1)
    filter: Share = 0.0  # each of 4 frequency bands times 2^N(0, 1)
    noise: Share = 0.0  # of standard deviation |N(0, 0.1^2)|
    cutout: Share = 0.0  # a square of half the size at any place becomes gray

    def reshaped(self, images: Tensor, p: Tensor) -> Tensor:
        """Transforms the places of pixels."""
        return self.warp(self.blit(images, p), p)

    def recolor(self, images: Tensor, p: Tensor) -> Tensor:
        """Transforms the values of pixels."""
        for step in (self.map_colors, self.amplify_bands, self.add_noise, self.cut_out):
            images = step(images, p)
        return images

    def blit(self, images: Tensor, p: Tensor) -> Tensor:
        """Copies pixels to other places."""
        if self.flip:
            chosen = happens(images, p * self.flip) & (whole(images, 0, 1) == 1)
            images = flip(images, chosen)
        if self.rotate90:
            images = rotate90(images, happens(images, p * self.rotate90) * whole(images, 0, 3))
        if self.translation:
            moved = happens(images, p * self.translation)
            down, right = (
                (uniform(images, -DISTANCE, DISTANCE) * size).round().long() * moved
                for size in images.shape[2:]
            )
            images = translate(images, down, right)
        return images

    def warp(self, images: Tensor, p: Tensor) -> Tensor:
        """Resamples images; those to which nothing happens keep their values exactly."""
        if not any((self.scale, self.rotation, self.anisotropy, self.shift)):
            return images
        height, width = images.shape[2:]
        rotations = 1 - (1 - p * self.rotation).sqrt()  # each of two: p for one or both
        inverses, happened = [], []  # of the transforms, in the order of their application
        for share, matrix in (
            (p * self.scale, diagonal(*[power_of_two(images, -STRETCH)] * 2)),
            (rotations, rotation(uniform(images, -math.pi, math.pi))),
            (p * self.anisotropy, stretched(power_of_two(images, STRETCH))),
            (rotations, rotation(uniform(images, -math.pi, math.pi))),
        ):
            chosen = happens(images, share)
            happened.append(chosen)
            inverses.append(torch.where(chosen[:, None, None], matrix, identity(matrix)))
        inverse = product(product(inverses[0], inverses[1]), product(inverses[2], inverses[3]))
        moved = happens(images, p * self.shift)
        x, y = (normal(images) * (DISTANCE * size) * moved for size in (width, height))
        chosen, shift = torch.stack([*happened, moved]).any(0), torch.stack([x, y], 1)
        if images.device.type not in SELECTING:
            return torch.where(column(chosen), transform(images, inverse, shift), images)
        some = chosen.nonzero().flatten()
        if not len(some):
            return images
        return images.index_copy(0, some, transform(images[some], inverse[some], shift[some]))

    def map_colors(self, images: Tensor, p: Tensor) -> Tensor:
        colors = ColorMap(images)
        if self.brightness:
            colors.brighten(normal(images) * BRIGHTNESS * happens(images, p * self.brightness))
        if self.contrast:
            colors.contrast(sometimes(power_of_two(images, CONTRAST), p * self.contrast))
        if self.luma_flip and colors.channels > 1:
            chosen = happens(images, p * self.luma_flip) & (whole(images, 0, 1) == 1)
            colors.flip_luma(chosen)
        if self.hue and colors.channels == 3:
            angle = uniform(images, -math.pi, math.pi)
            colors.rotate_hue(angle * happens(images, p * self.hue))
        if self.saturation and colors.channels > 1:
            colors.saturate(sometimes(power_of_two(images, SATURATION), p * self.saturation))
        return colors.apply(images)

    def amplify_bands(self, images: Tensor, p: Tensor) -> Tensor:
        if not self.filter:
            return images
        gains, happened = torch.ones_like(images[:, 0, 0, :1]).expand(-1, 4), []
        for band in range(4):
            chosen = happens(images, p * self.filter)
            drawn = torch.where(chosen, power_of_two(images, AMPLITUDE), 1.0)
            one = torch.arange(4, device=images.device) == band
            gains = gains * normalized(torch.where(one, drawn[:, None], 1.0))
            happened.append(chosen)
        return torch.where(column(torch.stack(happened).any(0)), amplify(images, gains), images)

    def add_noise(self, images: Tensor, p: Tensor) -> Tensor:
        if not self.noise:
            return images
        deviation = normal(images).abs() * NOISE * happens(images, p * self.noise)
        return images + column(deviation) * torch.randn_like(images)

    def cut_out(self, images: Tensor, p: Tensor) -> Tensor:
        if not self.cutout:
            return images
        size = images.shape[2:]
        centre = (uniform(images) * size[0], uniform(images) * size[1])
        box = box_mask(images, centre, (CUTOUT * size[0], CUTOUT * size[1]))
        return images.masked_fill(box & column(happens(images, p * self.cutout)), 0)


def sometimes(values: Tensor, p: Tensor) -> Tensor:
    """The factors (N,) with probability `p`, else 1."""
    return torch.where(happens(values, p), values, 1.0)


def diagonal(first: Tensor, second: Tensor) -> Tensor:
    """Diagonal matrices, (N, 2, 2)."""
    return torch.stack([first, second], 1).diag_embed()


def stretched(factor: Tensor) -> Tensor:
    """The inverse of: width times `factor` (N,), height divided by it."""
    return diagonal(1 / factor, factor)


def rotation(angle: Tensor) -> Tensor:
    """Matrices (N, 2, 2) of rotations by `angle` (N,), in radians."""
    sine, cosine = angle.sin(), angle.cos()
    return torch.stack([cosine, -sine, sine, cosine], 1).unflatten(1, (2, 2))


def identity(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
