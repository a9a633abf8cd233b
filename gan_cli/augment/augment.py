"""The protocol of augmentations, which transform all real and fake samples for critics."""

from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from gan_cli.config.registry import Registry


class Augment(Protocol):
    """An augmentation, built from its config keys and applied in `Game.critic`.

    It must be differentiable for the generator, and twice differentiable for gradient penalties.
    To be captured in CUDA graphs, it must not wait for the device, and what changes between calls
    must be tensors on the device that are changed in place.
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


class Stateless:
    """The part of the protocol of an augmentation that adapts to nothing."""

    def after(self, observed: dict[str, Tensor]) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


@runtime_checkable
class HasStrength(Protocol):
    """An augmentation whose strength changes, by a schedule or adapted, and is logged."""

    def place(self, device: torch.device) -> None:
        """Moves its tensors to the device, once."""
        ...

    def schedule(self, step: int) -> None:
        """Sets what depends on `step`, in place; called before the turns of each step."""
        ...

    def observed(self) -> dict[str, Tensor]:
        """Returns 0-d tensors by name, which the turns of critics log."""
        ...


@runtime_checkable
class TransformsTogether(Protocol):
    """An augmentation for critics that see several images, such as the input and the output."""

    def together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Returns all images (N, C, H, W), of equal size, under one draw.

        All of them are moved alike; colours change in `sample` alone.
        """
        ...


augments: Registry[Augment] = Registry("augmentation")
