"""Variational bound of an f-divergence (Nowozin et al. 2016, arXiv:1606.00709) as a GAN loss."""

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

GeneratorRule = Literal["minimax", "nonsaturating"]


class FDivergence:
    """D_f(P||Q) >= E_P[g(V)] - E_Q[f*(g(V))] for any logit V: Nowozin et al. 2016, Equation 6.

    A subclass defines the convex f with D_f(P||Q) = E_Q[f(p/q)], its conjugate f* over u >= 0, and
    the activation g, which is increasing and maps R to `domain`, the interior of the domain of f*.
    The bound is tight at g(V) = f'(p/q). A sample looks real if g(V) > `threshold` = f'(1).

    The generator's loss, with u = p/q and the optimal V, is one of these:
    - "minimax" (Algorithm 1) minimizes D_f itself. Its gradient with respect to V is u g'(V), which
      vanishes for most f on fakes that the critic rejects (u -> 0).
    - "nonsaturating" (Section 3.2) maximizes E_Q[g(V)], with the gradient g'(V). This minimizes
      another divergence, with h''(u) = f''(u) / u (Shannon et al. 2020, arXiv:2010.08029) and the
      same minimum P = Q: KL becomes reverse KL. It diverges for activations such as -exp(-V).
    """

    paired = False
    quantity: ClassVar[str]  # name of D_f in the log
    domain: tuple[float, float] = (-math.inf, math.inf)
    threshold: float = 0.0

    def __init__(self, *, generator: GeneratorRule = "nonsaturating") -> None:
        self.nonsaturating = generator == "nonsaturating"

    def f(self, u: Tensor) -> Tensor:
        raise NotImplementedError

    def conjugate(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def activation(self, v: Tensor) -> Tensor:
        raise NotImplementedError

    def conjugate_of_activation(self, v: Tensor) -> Tensor:
        """f*(g(v)); overridden where the composition overflows or loses digits."""
        return self.conjugate(self.activation(v))

    def bound(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.activation(real).mean() - self.conjugate_of_activation(fake).mean()

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.bound(real, fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:  # noqa: ARG002
        rule = self.activation if self.nonsaturating else self.conjugate_of_activation
        return -rule(fake).mean()

    def encoder(self, real: Tensor) -> Tensor:
        """The generator's loss with the roles of real and fake exchanged.

        "minimax" minimizes the bound, "nonsaturating" the critic's loss with exchanged labels.
        """
        rule = self.conjugate_of_activation if self.nonsaturating else self.activation
        return rule(real).mean()

    def looks_real(self, logits: Tensor) -> Tensor:
        return self.activation(logits) > self.threshold

    def rescaled(self, divergence: Tensor) -> Tensor:
        """Converts D_f, or its bound, to the scale of `quantity`."""
        return divergence

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {self.quantity: self.rescaled(self.bound(real, fake))}


def log_wright_omega(z: Tensor) -> Tensor:
    """The solution s of s + exp(s) = z, which is log W(exp(z)) without overflow of exp(z).

    Newton's method starts to the right of the root, where it decreases monotonically; 5 steps reach
    the precision of float64 for |z| < 1e4. The steps are differentiable to any order.
    """
    s = torch.where(z < 0, z, z.clamp(min=0).log1p())
    for _ in range(5):
        s = s - (s + s.exp() - z) / (1 + s.exp())
    return s


def log_one_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, by the more accurate of two formulas (Maechler 2012)."""
    split = -math.log(2)
    near = torch.log(-torch.expm1(x.clamp(min=split)))
    far = torch.log1p(-torch.exp(x.clamp(max=split)))
    return torch.where(x > split, near, far)


def log_softplus(x: Tensor) -> Tensor:
    """log(log(1 + exp(x))). Below -20 it returns x (error 1e-9), where quotients would overflow."""
    return torch.where(x < -20, x, F.softplus(x.clamp(min=-20)).log())
