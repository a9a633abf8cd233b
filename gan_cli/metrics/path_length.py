"""Perceptual path length: Karras et al. 2019 (arXiv:1812.04948), Section 4.1."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gan_cli.config.ranges import Positive, Samples, Seed
from gan_cli.data.spec import Field
from gan_cli.metrics.distances import Distance, DistanceNode, distances
from gan_cli.metrics.latents import Latents, Space
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.networks.layers.latent import slerp
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.utils.errors import ConfigError, NonFiniteError

WHERE = "metrics.compute.path_length"
RANDOM = DistanceNode(name="random")
TRIMMED = 1.0  # percent of the lengths at either end that are left out, as in the authors' code


@metrics.register("path_length")
class PathLength:
    """Mean squared length of random paths through samples, per squared length of the latent path.

    d(G(p(t)), G(p(t + epsilon))) / epsilon^2, where the path p leads from one random latent to
    another: on an arc in Z (a line for a uniform prior), on a line in W. t is uniform on [0, 1], or
    0 at the `end`. The samples are not rounded. A smooth generator has short paths. Published
    values have the distance lpips; with another one, the name says which, and values compare with
    those of equal options alone.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"latents"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = False
    minimum: ClassVar[int] = 1

    def __init__(
        self,
        *,
        count: Samples = 2000,
        space: Space | None = None,
        sampling: Literal["full", "end"] = "end",
        epsilon: Positive = 1e-4,
        distance: DistanceNode = RANDOM,
        seed: Seed = 0,
    ) -> None:
        self.count, self.space, self.sampling = count, space, sampling
        self.epsilon, self.distance, self.seed = epsilon, distance, seed
        self.measure: Distance | None = None

    def open(self, field: Field, device: torch.device) -> None:
        """Builds the distance for samples of a field; ConfigError if that cannot be."""
        self.measure = distances.build(self.distance, field, device, where=WHERE)

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:  # noqa: ARG002
        if fake.latents is None:
            raise ConfigError(f"{WHERE}: needs a generator with a latent")
        space = self.space or ("w" if fake.latents.has_styles else "z")
        points = self.points(fake.latents, space)
        lengths = torch.cat(list(self.lengths(fake.latents, points, space)))
        if not lengths.isfinite().all():
            raise NonFiniteError("paths are not finite")
        name = f"path_length_{space}_{self.distance['name']}"
        return {name: trimmed_mean(lengths.numpy())}

    def points(self, latents: Latents, space: Space) -> Tensor:
        """Returns two points (N, 2, *point) near to each other on each path."""
        first, second = (x.double() for x in latents.pairs(self.count, space))
        start = torch.zeros(self.count, dtype=torch.float64)
        if self.sampling == "full":
            rng = torch.Generator().manual_seed(self.seed)
            start = torch.rand(self.count, generator=rng, dtype=torch.float64)
        start = start.view(-1, *[1] * (first.ndim - 1))
        times = (start, start + self.epsilon)
        if space == "w" or latents.prior == "uniform":
            steps = [first + t * (second - first) for t in times]
        else:
            if latents.has_styles:  # the mapping network normalizes latents
                first, second = normalize(first), normalize(second)
            steps = [slerp(first, second, t) for t in times]
        return torch.stack(steps, 1).float()

    def lengths(self, latents: Latents, points: Tensor, space: Space) -> Iterator[Tensor]:
        """Yields the squared lengths (B,) of the steps between points (N, 2, *point)."""
        for samples in latents.samples(points, space):
            if self.measure is None:
                self.open(latents.field, samples.device)
            assert self.measure is not None
            with exact_numerics(samples.device), torch.no_grad():
                length = self.measure(samples[:, 0], samples[:, 1]) / self.epsilon**2
            yield length.double().cpu()


def trimmed_mean(lengths: np.ndarray) -> float:
    """Returns the mean of lengths (N,) between the percentiles TRIMMED and 100 - TRIMMED."""
    low = np.percentile(lengths, TRIMMED, method="lower")
    high = np.percentile(lengths, 100 - TRIMMED, method="higher")
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())
