"""The f-divergences of Nowozin et al. 2016 (arXiv:1606.00709), Tables 1, 2, 5 and 6.

Those of the Jensen-Shannon family are in jensen_shannon.py.

The conjugates are exact for u >= 0: those of Pearson, alpha and total variation are clipped from
below, where the formulas of the paper increase again (Pearson) or are undefined (alpha > 1: a power
of a negative number). Both agree at the optimal critic.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.config.ranges import Finite
from gan_cli.losses.f_divergences.variational import (
    FDivergence,
    GeneratorRule,
    expm1,
    half_tanh,
    log_softplus,
    log_wright_omega_of_one_plus,
    power_minus_one,
)
from gan_cli.losses.objective import losses
from gan_cli.utils.errors import ConfigError


@losses.register("f_total_variation")
class TotalVariation(FDivergence):
    """Total variation: half the integral of |p - q|, in [0, 1].

    The bound has no gradient where the critic is certain.
    """

    quantity = "total_variation"
    domain = (-0.5, 0.5)

    def f(self, u: Tensor) -> Tensor:
        return (u - 1).abs() / 2

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        return [(r.sign() / 2, 1), (-r.sign() / 2, 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        return t.clamp(min=-0.5)

    def activation(self, v: Tensor) -> Tensor:
        return half_tanh(v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return self.activation(v)


@losses.register("f_kl")
class KL(FDivergence):
    """KL(P||Q), which covers modes.

    V is unbounded and fakes are weighted by exp(V), so the learning rate must be low.
    """

    quantity = "kl_divergence"
    threshold = 1.0

    def f(self, u: Tensor) -> Tensor:
        return torch.xlogy(u, u)

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        return [(r - 1, 1), (1, 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        return (t - 1).exp()

    def activation(self, v: Tensor) -> Tensor:
        return v


@losses.register("f_reverse_kl")
class ReverseKL(FDivergence):
    """KL(Q||P), which seeks modes.

    Real samples are weighted by exp(-V); the gradient of the minimax generator is 1 in V.
    """

    quantity = "reverse_kl_divergence"
    domain = (-math.inf, 0.0)
    threshold = -1.0

    def __init__(self, *, generator: GeneratorRule = "minimax") -> None:
        super().__init__(generator=generator)

    def f(self, u: Tensor) -> Tensor:
        return -u.log()

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        return [(-r - 1, 0), (1, 1)]

    def conjugate(self, t: Tensor) -> Tensor:
        return -1 - (-t).log()

    def activation(self, v: Tensor) -> Tensor:
        return -(-v).exp()

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return v - 1


@losses.register("f_pearson")
class Pearson(FDivergence):
    """Pearson chi2, the integral of (p - q)^2 / q. V is unbounded, but f* grows quadratically."""

    quantity = "pearson_chi2"

    def f(self, u: Tensor) -> Tensor:
        return (u - 1).square()

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:  # noqa: ARG002
        return [(1, 2), (-2, 1), (1, 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        t = t.clamp(min=-2)  # u = 1 + t/2 >= 0
        return t.square() / 4 + t

    def activation(self, v: Tensor) -> Tensor:
        return v


@losses.register("f_neyman")
class Neyman(FDivergence):
    """Neyman chi2, the integral of (p - q)^2 / p.

    Real samples are weighted by exp(-V), which makes it the hardest divergence to train.
    """

    quantity = "neyman_chi2"
    domain = (-math.inf, 1.0)

    def __init__(self, *, generator: GeneratorRule = "minimax") -> None:
        super().__init__(generator=generator)

    def f(self, u: Tensor) -> Tensor:
        return (1 - u).square() / u

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:  # noqa: ARG002
        return [(1, -1), (-2, 0), (1, 1)]

    def conjugate(self, t: Tensor) -> Tensor:
        return 2 * t / (1 + (1 - t).sqrt())

    def activation(self, v: Tensor) -> Tensor:
        return -expm1(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return -2 * expm1(-v / 2)


@losses.register("f_squared_hellinger")
class SquaredHellinger(FDivergence):
    """Squared Hellinger distance: the integral of (sqrt p - sqrt q)^2, in [0, 2].

    Fakes are weighted by exp(V), real samples by exp(-V).
    """

    quantity = "squared_hellinger"
    domain = (-math.inf, 1.0)

    def __init__(self, *, generator: GeneratorRule = "minimax") -> None:
        super().__init__(generator=generator)

    def f(self, u: Tensor) -> Tensor:
        return (u.sqrt() - 1).square()

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:  # noqa: ARG002
        return [(1, 1), (-2, 0.5), (1, 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        return t / (1 - t)

    def activation(self, v: Tensor) -> Tensor:
        return -expm1(-v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return expm1(v)


@losses.register("f_jeffrey")
class Jeffrey(FDivergence):
    """Jeffrey divergence, KL(P||Q) + KL(Q||P).

    V is unbounded and f* grows exponentially, so the learning rate must be low.
    """

    quantity = "jeffrey_divergence"

    def f(self, u: Tensor) -> Tensor:
        return (u - 1) * u.log()

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        return [(r, 1), (-r, 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        # W + 1/W + t - 2 with W = W(exp(1 - t)); log W = 1 - t - W, so this is 1/W - 1 - log W.
        s = log_wright_omega_of_one_plus(-t)
        return expm1(-s) - s

    def activation(self, v: Tensor) -> Tensor:
        return v


@losses.register("f_alpha")
class Alpha(FDivergence):
    """Alpha divergence: half of Pearson at 2, half of Neyman at -1, twice Hellinger^2 at 1/2.

    The limits at 0 and 1 are reverse KL and KL. V is unbounded for alpha > 1. For alpha slightly
    below 1, f*(g(V)) grows like exp(V alpha / (1 - alpha)), so values between 0.5 and 1 should be
    avoided.
    """

    quantity = "alpha_divergence"

    def __init__(self, *, alpha: Finite = 0.5, generator: GeneratorRule = "nonsaturating") -> None:
        super().__init__(generator=generator)
        if alpha in (0, 1):
            known = {0: "reverse KL: set loss=f_reverse_kl", 1: "KL: set loss=f_kl"}[int(alpha)]
            raise ConfigError(f"loss.adversarial.alpha: the limit at {alpha:g} is {known}")
        self.alpha = alpha
        self.power = alpha / (alpha - 1)
        self.domain = (-math.inf, 1 / (1 - alpha) if alpha < 1 else math.inf)

    def f(self, u: Tensor) -> Tensor:
        alpha = self.alpha
        return (u**alpha - 1 - alpha * (u - 1)) / (alpha * (alpha - 1))

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:  # noqa: ARG002
        alpha = self.alpha
        scale = alpha * (alpha - 1)
        return [(1 / scale, alpha), (-alpha / scale, 1), ((alpha - 1) / scale, 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        # u^(alpha - 1) = 1 + t (alpha - 1)
        return power_minus_one(t * (self.alpha - 1), self.power) / self.alpha

    def activation(self, v: Tensor) -> Tensor:
        return v if self.alpha > 1 else 1 / (1 - self.alpha) + F.logsigmoid(v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        if self.alpha > 1:
            return self.conjugate(v)
        log_base = math.log(1 - self.alpha) + log_softplus(-v)
        return expm1(self.power * log_base) / self.alpha
