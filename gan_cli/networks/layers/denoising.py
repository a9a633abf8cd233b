"""What networks of diffusion have in common."""

from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

LabelConditioning = Literal["none", "embed"]
Times = {"time": "the time of the noise schedule, 0 (data) to about 1,000 (noise)"}


@runtime_checkable
class Denoises(Protocol):
    """A network that takes noisy samples, the label of their time, and labels or None.

    The output has the shape of samples, or twice the channels if it also predicts a variance. A
    label may be `classes`, which stands for none.
    """

    shape: tuple[int, ...]  # of a sample
    latent_dim: int  # numbers of a sample, and of the noise that it starts from
    prior: Literal["normal"]  # of this noise
    bounded: bool  # do samples lie in [-1, 1]?
    conditional: bool
    classes: int  # of the labels that it reads; 0 if it reads none
    predicts_variance: bool

    def __call__(self, sample: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor: ...
