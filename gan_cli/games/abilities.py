"""What some games can do besides training."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from gan_cli.games.request import Request

if TYPE_CHECKING:
    from gan_cli.data.dataset import Dataset
    from gan_cli.metrics.scorecard import Scorecard


@runtime_checkable
class Samples(Protocol):
    """A game that draws samples, which metrics of generated data require."""

    def sample(self, request: Request) -> Tensor:
        """Returns samples (N, *shape) in model form; called in eval mode, without gradients."""
        ...


@runtime_checkable
class HasLogits(Protocol):
    """A game with a critic of single samples, whose level sets can be drawn."""

    def logits(self, samples: Tensor) -> Tensor | None:
        """Returns logits (N,) of samples (N, *shape), without gradients.

        Returns None if a logit depends on a pack of samples, on a label or on the whole batch.
        """
        ...


@runtime_checkable
class Evaluates(Protocol):
    """A game with scores of its own, such as the accuracy of a classifier."""

    def evaluate(self, dataset: "Dataset") -> "Scorecard":
        """Returns scores on held-out data; called in eval mode, without gradients."""
        ...


@runtime_checkable
class HasDrawingProtocol(Protocol):
    """A game whose samples depend on how they are drawn."""

    def protocol(self, request: Request) -> Mapping[str, Any]:
        """Returns how the samples of a request are drawn, and what it costs, for metric cards."""
        ...


@runtime_checkable
class HasSamplers(Protocol):
    """A game whose samples are drawn in steps, by a sampler that a request may choose."""

    def check_request(self, request: Request) -> None:
        """Raises ConfigError if the sampler or the guidance of a request does not fit the game."""
        ...

    def path(self, request: Request) -> Iterator[Tensor]:
        """Yields what the samples start from, and what they are after each step (N, *shape)."""
        ...

    def noise_of(self, request: Request, samples: Tensor) -> Tensor:
        """Returns the noise (N, D) that a deterministic sampler would lead to given samples."""
        ...

    def inpaint(self, request: Request, samples: Tensor, known: Tensor) -> Tensor:
        """Returns samples (N, *shape) that equal the given ones where `known` is 1."""
        ...

    def protocol(self, request: Request) -> Mapping[str, Any]:
        """Returns the sampler of a request and what it costs, for metric cards."""
        ...


@runtime_checkable
class HasLogDensity(Protocol):
    """A game that knows how likely given samples are."""

    def log_density(self, request: Request, samples: Tensor, steps: int, exact: bool) -> Tensor:
        """Returns the log densities (N,) of samples (N, *shape) in model form, in nats.

        They depend on the labels of the request. Its seeds serve an estimate, unless `exact`.
        """
        ...


@runtime_checkable
class WritesText(Protocol):
    """A game whose samples are texts, which may go on from a prompt."""

    def check_prompt(self, request: Request) -> None:
        """Raises ConfigError if the prompt of a request does not fit the texts."""
        ...
