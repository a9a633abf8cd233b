"""Negative log likelihood of the data: Song et al. 2021 (arXiv:2011.13456), Section 4.3."""

import math
from typing import Any, ClassVar, Literal

from gan_cli.config.ranges import Count, Samples, Seed
from gan_cli.data.spec import Field
from gan_cli.diffusion.likelihood import STAGES
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.utils.errors import ConfigError, NonFiniteError

WHERE = "metrics.compute.likelihood"
MOST = 16  # numbers of a sample, up to which the exact trace costs no more than is worth it


@metrics.register("likelihood")
class NegativeLogLikelihood:
    """Bits per number of a sample that is stored as whole numbers; nats of one of real numbers.

    By the probability flow of a diffusion model. Whole numbers are spread uniformly over their
    interval, so that the value is an upper bound of the bits, as published ones are. `steps` have
    four calls of the network each. `trace` is exact, or estimated with one random direction for
    each sample; auto: exact for samples of at most 16 numbers.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"likelihood"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = False
    minimum: ClassVar[int] = 1

    def __init__(
        self,
        *,
        count: Samples = 500,
        steps: Count = 20,
        trace: Literal["auto", "exact", "estimate"] = "auto",
        seed: Seed = 0,
    ) -> None:
        self.count, self.steps, self.trace, self.seed = count, steps, trace, seed

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:  # noqa: ARG002
        if fake.likelihood is None:
            raise ConfigError(f"{WHERE}: needs a model of diffusion, and data with its labels")
        given = fake.likelihood
        nats = given.nats(self.count, self.steps, self.is_exact(given.size), self.seed)
        if not nats.isfinite().all():
            raise NonFiniteError("log likelihoods are not finite")
        unit, name = (math.log(2), "bits") if given.discrete else (1.0, "nats")
        values = -nats / (given.size * unit)
        error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else 0.0
        return {f"{name}_per_dim": values.mean().item(), f"{name}_per_dim_error": error}

    def protocol(self, field: Field) -> dict[str, Any]:
        trace = "exact" if self.is_exact(math.prod(field.shape)) else "estimate"
        return {"network_calls": STAGES * self.steps, "trace": trace}

    def is_exact(self, size: int) -> bool:
        """Returns whether the trace of samples of `size` numbers is exact."""
        return self.trace == "exact" or (self.trace == "auto" and size <= MOST)
