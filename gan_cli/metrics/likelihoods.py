"""Protocol of a model that knows how likely the data are."""

from typing import Protocol

from torch import Tensor


class Likelihood(Protocol):
    """The likelihood of the data by a model."""

    @property
    def size(self) -> int: ...  # numbers of a sample

    @property
    def discrete(self) -> bool: ...  # are they whole numbers?

    def nats(self, count: int, steps: int, exact: bool, seed: int) -> Tensor:
        """Returns the log likelihoods (N,) of at most `count` samples of the data.

        Those of real numbers are log densities. `steps` are those of a flow, whose divergence is
        exact or estimated with random numbers from `seed`.
        """
        ...
