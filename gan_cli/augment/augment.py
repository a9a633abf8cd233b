"""The protocol of augmentations, which transform all real and fake samples for critics."""

from typing import Any, ClassVar, Protocol

from torch import Tensor

from gan_cli.config.registry import Registry


class Augment(Protocol):
    """An augmentation, built from its config keys and applied in `Game.critic`.

    It must be differentiable for the generator, and twice differentiable for gradient penalties.
    """

    kinds: ClassVar[frozenset[str]]  # kinds of samples that it can transform

    def __call__(self, samples: Tensor) -> Tensor:
        """Returns randomly transformed samples (N, *shape) in model form."""
        ...

    def after(self, observed: dict[str, Tensor]) -> None:
        """Adapts the augmentation; called after each turn of a critic with its observed values."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns the adapted state as plain tensors and numbers."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


augments: Registry[Augment] = Registry("augmentation")
