"""Diversity: how far random samples are from each other, as Zhu et al. 2017 (arXiv:1711.11586)."""

from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.config.ranges import Samples, Seed
from gan_cli.data.kinds import kind_of, recognized
from gan_cli.data.spec import Field
from gan_cli.metrics.distances import Distance, DistanceNode, distances
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.runtime.numerics import exact_numerics

WHERE = "metrics.compute.diversity"
RANDOM = DistanceNode(name="random")
AT_A_TIME = 50  # pairs


@metrics.register("diversity")
class Diversity:
    """Mean distance of random pairs of generated samples, and of pairs of real ones.

    Section 4.2 of the paper has LPIPS; the value carries the name of its distance. Samples of one
    mode have a small one, but noise has a large one: compare with that of the data.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"samples"})
    lower_is_better: ClassVar[bool] = False
    featured: ClassVar[bool] = False
    minimum: ClassVar[int] = 2

    def __init__(
        self,
        *,
        pairs: Samples = 1000,  # of samples of each side
        distance: DistanceNode = RANDOM,  # random, pixels, lpips or lpips_alexnet
        seed: Seed = 0,  # of the pairs
    ) -> None:
        self.pairs, self.distance, self.seed = pairs, distance, seed
        self.measure: Distance | None = None
        self.device = torch.device("cpu")

    def open(self, field: Field, device: torch.device) -> None:
        """Builds the distance for samples of a field; ConfigError if that cannot be."""
        self.measure = distances.build(self.distance, field, device, where=WHERE)
        self.field, self.device = field, device

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.samples is not None
        assert fake.samples is not None
        if self.measure is None:
            shape = tuple(fake.samples.shape[1:])
            self.open(Field(recognized(fake.samples), shape), self.device)
        name = f"diversity_{self.distance['name']}"
        return {name: self.mean(fake.samples), f"data_{name}": self.mean(real.samples)}

    def mean(self, samples: Tensor) -> float:
        """The mean distance of random pairs of different samples (N, *shape), in stored form."""
        rng = torch.Generator().manual_seed(self.seed)
        first = torch.randint(len(samples), (self.pairs,), generator=rng)
        apart = torch.randint(1, len(samples), (self.pairs,), generator=rng)
        second, to_model = (first + apart) % len(samples), kind_of(self.field).to_model
        assert self.measure is not None
        total = 0.0
        for i, j in zip(first.split(AT_A_TIME), second.split(AT_A_TIME), strict=True):
            a, b = (to_model(samples[index].to(self.device)) for index in (i, j))
            with exact_numerics(self.device), torch.no_grad():
                total += self.measure(a, b).double().sum().item()
        return total / self.pairs
