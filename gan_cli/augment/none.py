"""No augmentation."""

from typing import Any, ClassVar

from torch import Tensor

from gan_cli.augment.augment import augments


@augments.register("none")
class NoAugment:
    """The identity."""

    kinds: ClassVar[frozenset[str]] = frozenset({"image", "vector", "audio", "tokens"})

    def __call__(self, samples: Tensor) -> Tensor:
        return samples

    def together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        return (sample, *given)

    def after(self, observed: dict[str, Tensor]) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
