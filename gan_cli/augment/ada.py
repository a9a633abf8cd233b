"""Adaptive discriminator augmentation: Karras et al. 2020 (arXiv:2006.06676)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.augment.augment import augments
from gan_cli.augment.draws import in_full_precision
from gan_cli.augment.pipe import Pipe
from gan_cli.augment.strength import Strength


@augments.register("ada")
@dataclass(kw_only=True)
class ADA(Pipe, Strength):
    """Applies each transform of the pipe to each image with probability p.

    p is a number or a schedule, or, if it is null, adapted to how often the critic is right on real
    images.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"image"})

    @in_full_precision
    def __call__(self, samples: Tensor) -> Tensor:
        p = self.on(samples.device)
        return self.recolor(self.reshaped(samples, p), p)

    @in_full_precision
    def together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        p = self.on(sample.device)
        images = (sample, *given)
        moved = self.reshaped(torch.cat(images, 1), p).split([x.shape[1] for x in images], 1)
        return self.recolor(moved[0], p), *moved[1:]
