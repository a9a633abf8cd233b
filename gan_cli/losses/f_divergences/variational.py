"""The game of an f-divergence (Nowozin et al. 2016, arXiv:1606.00709), whichever f."""

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

GeneratorRule = Literal["minimax", "nonsaturating"]


class FDivergence:
    """Nowozin et al. 2016, Equation 6: D_f(P||Q) >= E_P[g(V)] - E_Q[f*(g(V))], any logit V.

    A subclass states the convex f with D_f(P||Q) = E_Q[f(p/q)], its conjugate f* over u >= 0, and
    the activation g, which is increasing and maps R into `domain`, the interior of f*'s. The bound
    is tight at g(V) = f'(p/q). A sample looks real where g(V) > `threshold` = f'(1).

    What the generator does, with u = p/q and V optimal:
    - "minimax" (Algorithm 1) descends D_f itself, with a gradient on V of u g'(V), which dies on
      fakes that the critic rejects (u -> 0) for most f;
    - "nonsaturating" (Section 3.2) maximizes E_Q[g(V)]: a gradient of g'(V). That descends another
      divergence, of h''(u) = f''(u) / u (Shannon et al. 2020, arXiv:2010.08029), with the same
      minimum P = Q: KL turns into reverse KL. Wrong for g = -exp(-V) and its kin: it explodes.
    """

    paired = False
    quantity: ClassVar[str]  # the name of D_f in the log
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
        """f*(g(v)); simplified by hand wherever the composition overflows or cancels."""
        return self.conjugate(self.activation(v))

    def bound(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.activation(real).mean() - self.conjugate_of_activation(fake).mean()

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.bound(real, fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:  # noqa: ARG002
        rule = self.activation if self.nonsaturating else self.conjugate_of_activation
        return -rule(fake).mean()

    def encoder(self, real: Tensor) -> Tensor:
        """The mirror image: "minimax" descends the bound, "nonsaturating" plays the critic's part
        with the labels exchanged."""
        rule = self.conjugate_of_activation if self.nonsaturating else self.activation
        return rule(real).mean()

    def looks_real(self, logits: Tensor) -> Tensor:
        return self.activation(logits) > self.threshold

    def shown(self, divergence: Tensor) -> Tensor:
        """D_f, or its bound, on the scale of `quantity`."""
        return divergence

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {self.quantity: self.shown(self.bound(real, fake))}


def log_wright_omega(z: Tensor) -> Tensor:
    """The s with s + exp(s) = z, which is log W(exp(z)) without the overflow of exp(z).

    Newton's method from the right of the root, where it descends monotonically; 5 steps reach
    float64's precision for |z| < 1e4. Differentiable through the steps, to any order.
    """
    s = torch.where(z < 0, z, z.clamp(min=0).log1p())
    for _ in range(5):
        s = s - (s + s.exp() - z) / (1 + s.exp())
    return s


def log_one_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, by the branch that keeps its digits (Maechler 2012)."""
    split = -math.log(2)
    near = torch.log(-torch.expm1(x.clamp(min=split)))
    far = torch.log1p(-torch.exp(x.clamp(max=split)))
    return torch.where(x > split, near, far)


def log_softplus(x: Tensor) -> Tensor:
    """log(log(1 + exp(x))). Below -20 it is x (to 1e-9), where the quotients would overflow."""
    return torch.where(x < -20, x, F.softplus(x.clamp(min=-20)).log())
