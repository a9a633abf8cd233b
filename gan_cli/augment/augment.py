"""What an augmentation is: a function through which critics see all samples, real and fake."""

from typing import Any, ClassVar, Protocol

from torch import Tensor

from gan_cli.config.registry import Registry


class Augment(Protocol):
    """Built from its config keys alone. A game applies it where it binds a critic.

    Gradients flow through it: to the generator, and twice under a gradient penalty.
    """

    kinds: ClassVar[frozenset[str]]  # of samples that it can transform

    def __call__(self, samples: Tensor) -> Tensor:
        """Samples (N, *shape) in model form, transformed at random."""
        ...

    def after(self, observed: dict[str, Tensor]) -> None:
        """Called after each turn of a critic with what the turn observed: adaptive rules."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What the rule has adapted so far, as plain tensors and numbers."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


augments: Registry[Augment] = Registry("augmentation")
