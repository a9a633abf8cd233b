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

    def terms(self, r: Tensor) -> list[tuple[Tensor | float, float]]:
        """f(u) - f(1) - f'(1) (u - 1) with u = exp(r), as (c, k) of the sum of c exp(k r).

        Never negative, and its integral under Q is D_f - f(1). Only c may depend on r, so that a
        caller has c p^k q^(1 - k) from log p and log q where p, q or p/q overflow.
        """
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


def log_wright_omega_of_one_plus(y: Tensor) -> Tensor:
    """The solution s of s + exp(s) = 1 + y, which is log W(exp(1 + y)) without overflow.

    It is zero at y = 0. Newton's method starts to the right of the root, where it decreases
    monotonically; 5 steps reach the precision of float64 for |y| < 1e4. The steps are
    differentiable to any order.
    """
    low = y < -1
    s = torch.where(low, 1 + y, (1 + torch.where(low, -1, y)).log1p())
    for _ in range(5):
        s = s - (s + expm1(s) - y) / (1 + s.exp())
    return s


# Functions in two pieces are given, on either side, arguments of that side only: the derivative of
# the piece not chosen may be infinite, and 0 times infinity is NaN. A clamp would not do, since its
# derivative at the bound itself is zero in some versions of PyTorch.


def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1 with the gradient exp(x).

    The backward pass of torch.expm1 is its result + 1, which in float32 is 4e-4 off at x = -10 and
    zero below -17.
    """
    low = x < -1
    return torch.where(low, torch.where(low, x, -1).exp() - 1, torch.where(low, -1, x).expm1())


def half_tanh(x: Tensor) -> Tensor:
    """tanh(x) / 2 with the gradient 1 / (2 cosh(x)^2), which 1 - tanh(x)^2 rounds to zero at 9."""
    near = x.abs() < 1
    tail = 0.5 - torch.sigmoid(-2 * torch.where(near, 1, x.abs()))
    return torch.where(near, torch.where(near, x, 1).tanh() / 2, tail * x.sign())


def log_twice_sigmoid(x: Tensor) -> Tensor:
    """log(2 sigmoid(x)), which is zero at x = 0, by a formula that keeps the digits around it."""
    near = x.abs() < 1
    around_zero = -(torch.where(near, -x, 0).expm1() / 2).log1p()
    return torch.where(near, around_zero, math.log(2) + F.logsigmoid(x))


def power_minus_one(x: Tensor, power: float) -> Tensor:
    """(1 + x)^power - 1, constant for x <= -1: there 1 + x is taken to be 0.

    Gradients of every order are finite: those of 0^power would be 0 times infinity.
    """
    positive, near = x > -1, x.abs() < 0.5
    around_zero = (power * torch.where(near, x, 0).log1p()).expm1()
    other = (1 + torch.where(positive, x, 0)) ** power - 1
    end = -1.0 if power > 0 else math.inf
    return torch.where(positive, torch.where(near, around_zero, other), end)


def log_one_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) for x < 0, by the more accurate of two formulas (Maechler 2012)."""
    near = x > -math.log(2)
    small = torch.log(-torch.expm1(torch.where(near, x, -1)))
    return torch.where(near, small, torch.log1p(-torch.exp(torch.where(near, -1, x))))


def log_softplus(x: Tensor) -> Tensor:
    """log(log(1 + exp(x))). Below -20 it returns x (error 1e-9), where quotients would overflow."""
    low = x < -20
    return torch.where(low, x, F.softplus(torch.where(low, -20, x)).log())
