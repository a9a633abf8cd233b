"""Protocol of a model whose samples a metric draws at latents of its own choice."""

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

from gan_cli.data.spec import Field
from gan_cli.networks.layers.latent import Prior, Space


class Latents(Protocol):
    """The latents z of a model, its styles w if there are any, and the samples at both.

    Samples are in model form: not rounded, on the device of the model.
    """

    @property
    def field(self) -> Field: ...  # of the samples

    @property
    def prior(self) -> Prior: ...

    @property
    def has_styles(self) -> bool: ...

    def pairs(self, count: int, space: Space) -> tuple[Tensor, Tensor]:
        """Returns two points (N, *point) for each of N random labels, on the CPU."""
        ...

    def samples(self, points: Tensor, space: Space) -> Iterator[Tensor]:
        """Yields samples (B, M, *shape), in turn, at points (N, M, *point).

        The M samples of a pair differ in nothing else: they have one label and the same noise.
        """
        ...
