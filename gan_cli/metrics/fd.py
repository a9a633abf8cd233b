"""Frechet distances between features of real and generated samples.

Heusel et al. 2017 (arXiv:1706.08500). With the features of Inception this is the FID; with other
features it carries their name (fd_random, fd_pixels, ...) and cannot be compared with an FID.
"""

from typing import Annotated, ClassVar

from gan_cli.config.ranges import Range, Seed
from gan_cli.metrics.frechet import frechet_distance, frechet_infinity
from gan_cli.metrics.metric import Collected, Need, metrics


@metrics.register("fd")
class FrechetDistance:
    """Frechet distance between features; the FID if they are those of Inception.

    The value depends on both counts: between two samples of one standard Gaussian in D dimensions
    it is about (D + D (D + 1) / 4) (1 / count + 1 / real_count). Compare values at equal counts
    only.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"moments"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True
    minimum: ClassVar[int] = 2

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.moments is not None
        assert fake.moments is not None
        return {"fd": frechet_distance(real.moments, fake.moments)}


@metrics.register("fd_infinity")
class FrechetInfinity:
    """Limit of the Frechet distance for infinitely many fakes, by `frechet_infinity`."""

    needs: ClassVar[frozenset[Need]] = frozenset({"moments", "features"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = True
    minimum: ClassVar[int] = 100

    def __init__(
        self, *, sizes: Annotated[int, Range(least=2, limit=1000)] = 15, seed: Seed = 0
    ) -> None:
        self.sizes, self.seed = sizes, seed

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        assert real.moments is not None
        assert fake.features is not None
        value = frechet_infinity(real.moments, fake.features, self.sizes, self.seed)
        return {"fd_infinity": value}
