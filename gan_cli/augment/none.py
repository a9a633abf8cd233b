"""No augmentation."""

from typing import ClassVar

from torch import Tensor

from gan_cli.augment.augment import Stateless, augments


@augments.register("none")
class NoAugment(Stateless):
    """The identity."""

    kinds: ClassVar[frozenset[str]] = frozenset({"image", "vector", "audio", "tokens"})

    def __call__(self, samples: Tensor) -> Tensor:
        return samples

    def together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        return (sample, *given)
