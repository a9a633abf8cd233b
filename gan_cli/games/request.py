"""A request for samples of a game."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from torch import Tensor

from gan_cli.utils.noise import Noise

SPREAD = 0xD1342543DE82EF95  # an odd number of 64 bits, which maps near seeds to distant ones


class Given(Protocol):
    """Inputs (N, *shape) in model form: a tensor, or an object that loads them when indexed."""

    def __getitem__(self, index: list[int], /) -> Tensor: ...


@dataclass(frozen=True)
class Request:
    """A request for N samples, one for each seed.

    A sample depends only on its own seed, label and inputs. In the batches that a game receives,
    all inputs in `given` are tensors.
    """

    seeds: Sequence[int]
    label: Tensor | None = None  # (N,) int64
    given: Mapping[str, Given] = field(default_factory=dict)  # inputs by batch key, model form
    latent: Tensor | None = None  # (N, latent_dim), instead of latents drawn from the seeds
    styles: Tensor | None = None  # (N, layers, style_dim), instead of latents; not truncated
    truncation: float | None = None  # bound of the latents, or psi of styles
    truncation_cutoff: int | None = None  # layers whose styles are truncated; None: all
    target: str | None = None  # batch key to generate; None: the target of the data set
    sampler: Mapping[str, Any] | None = None  # name and options; None: the game's own
    guidance: float | None = None  # weight of the label; None: the game's own
    prompt: tuple[int, ...] = ()  # tokens with which each text begins
    temperature: float | None = None  # of the tokens of a text; None: the game's own

    def __len__(self) -> int:
        return len(self.seeds)

    @cached_property
    def noise(self) -> Noise:
        """The random numbers of the samples, N streams."""
        return Noise(self.seeds)

    @cached_property
    def layer_noise(self) -> Noise:
        """Other random numbers of the samples, for noise inside of a network.

        They are the same whether the latents were drawn from the seeds or given.
        """
        return Noise([(seed * SPREAD + 1) % 2**64 for seed in self.seeds])

    def batches(self, size: int) -> Iterator["Request"]:
        """Yields requests of exactly `size` samples; the last is padded with its last sample."""
        for start in range(0, len(self), size):
            yield self.select([min(start + i, len(self) - 1) for i in range(size)])

    def select(self, index: list[int]) -> "Request":
        """Returns the request for the samples at `index`."""
        return replace(
            self,
            seeds=[self.seeds[i] for i in index],
            label=None if self.label is None else self.label[index],
            given={key: value[index] for key, value in self.given.items()},
            latent=None if self.latent is None else self.latent[index],
            styles=None if self.styles is None else self.styles[index],
        )
