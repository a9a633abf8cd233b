"""Jensen-Shannon divergences of Nowozin et al. 2016 (arXiv:1606.00709), with the original GAN."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.config.ranges import ProperShare
from gan_cli.losses.f_divergences.variational import (
    FDivergence,
    GeneratorRule,
    log_one_minus_exp,
    log_softplus,
    log_twice_sigmoid,
)
from gan_cli.losses.objective import losses

SERIES = 0.1  # log((1 - exp(-y)) / y) is a series below it, whose next term is y^8 / 9676800


@losses.register("f_jensen_shannon")
class JensenShannon(FDivergence):
    """Twice the Jensen-Shannon divergence, as defined by the paper's f; JSD itself is logged."""

    quantity = "js_divergence"
    domain = (-math.inf, math.log(2))

    def f(self, u: Tensor) -> Tensor:
        return torch.xlogy(u, u) - (u + 1) * ((1 + u) / 2).log()

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        return [(log_twice_sigmoid(r), 1), (log_twice_sigmoid(-r), 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        return -torch.log1p(-torch.expm1(t))

    def activation(self, v: Tensor) -> Tensor:
        return log_twice_sigmoid(v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return -log_twice_sigmoid(-v)

    def rescaled(self, divergence: Tensor) -> Tensor:
        return divergence / 2


@losses.register("f_gan")
class GAN(FDivergence):
    """2 JSD - 2 log 2, the loss of Goodfellow et al. 2014; JSD itself is logged."""

    quantity = "js_divergence"
    domain = (-math.inf, 0.0)
    threshold = -math.log(2)

    def f(self, u: Tensor) -> Tensor:
        return torch.xlogy(u, u) - torch.xlogy(u + 1, u + 1)

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        return [(log_twice_sigmoid(r), 1), (log_twice_sigmoid(-r), 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        return -log_one_minus_exp(t)

    def activation(self, v: Tensor) -> Tensor:
        return F.logsigmoid(v)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        return F.softplus(v)

    def rescaled(self, divergence: Tensor) -> Tensor:
        return divergence / 2 + math.log(2)


@losses.register("f_weighted_js")
class WeightedJensenShannon(FDivergence):
    """pi KL(P||M) + (1 - pi) KL(Q||M) with M = pi P + (1 - pi) Q, which is JSD at pi = 1/2."""

    quantity = "weighted_js_divergence"

    def __init__(
        self, *, pi: ProperShare = 0.5, generator: GeneratorRule = "nonsaturating"
    ) -> None:
        super().__init__(generator=generator)
        self.pi = pi
        self.domain = (-math.inf, -pi * math.log(pi))

    def f(self, u: Tensor) -> Tensor:
        mixture = 1 - self.pi + self.pi * u
        return self.pi * torch.xlogy(u, u) - torch.xlogy(mixture, mixture)

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        log_pi, log_rest = r.new_tensor(self.pi).log(), r.new_tensor(1 - self.pi).log()
        log_p_over_m = -torch.logaddexp(log_pi, log_rest - r)
        log_m_over_q = torch.logaddexp(log_rest, log_pi + r)
        return [(self.pi * log_p_over_m, 1), ((self.pi - 1) * log_m_over_q, 0)]

    def conjugate(self, t: Tensor) -> Tensor:
        exponent = t / self.pi + math.log(self.pi)
        return (1 - self.pi) * (math.log(1 - self.pi) - log_one_minus_exp(exponent))

    def activation(self, v: Tensor) -> Tensor:
        return F.logsigmoid(v) - self.pi * math.log(self.pi)

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        # 1 - exp(-y) with y = softplus(-v) / pi, which underflows as exp(-v) for large v: there
        # the logarithm is log y + log((1 - exp(-y)) / y), the second as a series.
        y = F.softplus(-v) / self.pi
        near = y < SERIES
        small = torch.where(near, y, 0)
        series = -small / 2 + small**2 / 24 - small**4 / 2880 + small**6 / 181440
        log_small = log_softplus(-v) - math.log(self.pi) + series
        log_large = log_one_minus_exp(-torch.where(near, SERIES, y))
        return (1 - self.pi) * (math.log(1 - self.pi) - torch.where(near, log_small, log_large))
