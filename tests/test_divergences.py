"""Each f-divergence against closed forms, numerical suprema and the published table in mpmath."""

import math
from collections.abc import Callable
from typing import Any

import mpmath  # a dependency of torch (by way of sympy)
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats
from torch import Tensor

from gan_cli.losses import losses
from gan_cli.losses.f_divergences.variational import (
    FDivergence,
    expm1,
    half_tanh,
    log_one_minus_exp,
    log_softplus,
    log_twice_sigmoid,
    log_wright_omega_of_one_plus,
    power_minus_one,
)
from gan_cli.utils.errors import ConfigError

ALPHAS = (-1.0, 0.3, 0.5, 1.5, 2.0, 3.0)
CASES: list[dict[str, Any]] = [
    *({"name": name} for name in losses.entries if name.startswith("f_") and name != "f_alpha"),
    {"name": "f_weighted_js", "pi": 0.3},
    *({"name": "f_alpha", "alpha": alpha} for alpha in ALPHAS),
]
every_divergence = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: "-".join(map(str, case.values()))
)


def build(case: dict[str, Any], **options: Any) -> FDivergence:
    return losses.build({**case, **options}, where="loss.adversarial")  # type: ignore[return-value]


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def slope(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    at = at.clone().requires_grad_()
    return torch.autograd.grad(function(at).sum(), at)[0]


# ---- The divergences themselves, from scipy and textbook closed forms


def discrete_divergence(case: dict[str, Any], p: np.ndarray, q: np.ndarray) -> float:
    """D(P||Q) of two discrete laws, from each divergence's own definition."""
    kl = special.rel_entr
    name, alpha, pi = case["name"], case.get("alpha", 0.5), case.get("pi", 0.5)
    mixture, half = pi * p + (1 - pi) * q, (p + q) / 2
    jsd = (kl(p, half) + kl(q, half)).sum() / 2
    return {
        "f_total_variation": np.abs(p - q).sum() / 2,
        "f_kl": kl(p, q).sum(),
        "f_reverse_kl": kl(q, p).sum(),
        "f_pearson": ((p - q) ** 2 / q).sum(),
        "f_neyman": ((p - q) ** 2 / p).sum(),
        "f_squared_hellinger": ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(),
        "f_jeffrey": ((p - q) * np.log(p / q)).sum(),
        "f_jensen_shannon": jsd,
        "f_weighted_js": (pi * kl(p, mixture) + (1 - pi) * kl(q, mixture)).sum(),
        "f_gan": jsd,
        "f_alpha": ((p**alpha * q ** (1 - alpha)).sum() - 1) / (alpha * (alpha - 1)),
    }[name]


def gaussian_divergence(case: dict[str, Any], shift: float) -> float:
    """D(N(shift, 1) || N(0, 1)) in closed form; E_Q[(p/q)^a] = exp(a (a-1) shift^2 / 2)."""
    square, name, alpha = shift**2, case["name"], case.get("alpha", 0.5)
    closed = {
        "f_total_variation": 2 * stats.norm.cdf(shift / 2) - 1,
        "f_kl": square / 2,
        "f_reverse_kl": square / 2,
        "f_pearson": math.expm1(square),
        "f_neyman": math.expm1(square),
        "f_squared_hellinger": -2 * math.expm1(-square / 8),
        "f_jeffrey": square,
        "f_alpha": math.expm1(alpha * (alpha - 1) * square / 2) / (alpha * (alpha - 1)),
    }
    if name in closed:
        return closed[name]
    x = np.linspace(-15, 15, 20001)  # the Jensen-Shannon family has no closed form
    p, q = stats.norm.pdf(x, shift), stats.norm.pdf(x)
    return discrete_divergence(case, p, q) * (x[1] - x[0])


def as_logged(case: dict[str, Any], divergence: float) -> float:
    """D_f of the paper's f, where what is logged is JSD itself."""
    return {"f_jensen_shannon": 2 * divergence, "f_gan": 2 * divergence - math.log(4)}.get(
        case["name"], divergence
    )


@every_divergence
def test_f_integrates_to_the_divergence_of_two_gaussians(case: dict[str, Any]) -> None:
    x = np.linspace(-15, 15, 20001)
    p, q = stats.norm.pdf(x, 0.7), stats.norm.pdf(x)
    value = (q * build(case).f(double(p / q)).numpy()).sum() * (x[1] - x[0])
    assert value == pytest.approx(as_logged(case, gaussian_divergence(case, 0.7)), rel=1e-6)


@every_divergence
def test_the_bound_at_the_optimal_critic_is_the_divergence_of_two_gaussians(
    case: dict[str, Any],
) -> None:
    divergence = build(case)
    x = np.linspace(-12, 12, 20001)
    p, q = stats.norm.pdf(x, 0.7), stats.norm.pdf(x)
    t = slope(divergence.f, double(p / q))
    value = (p * t.numpy() - q * divergence.conjugate(t).numpy()).sum() * (x[1] - x[0])
    assert value == pytest.approx(as_logged(case, gaussian_divergence(case, 0.7)), rel=1e-6)


# ---- f, f*, g against each other and against numerical suprema


@every_divergence
def test_the_conjugate_is_the_supremum(case: dict[str, Any]) -> None:
    divergence = build(case)
    top = min(divergence.domain[1] - 1e-3, 4.0)
    for t in np.linspace(-6.0, top, 13):

        def loss(log_u: float, t: float = t) -> float:
            u = double(math.exp(log_u))
            return float(divergence.f(u) - t * u)

        grid = np.linspace(-40, 16, 400)
        start = grid[np.argmin([loss(s) for s in grid])]
        best = optimize.minimize_scalar(loss, bounds=(start - 0.2, start + 0.2), method="bounded")
        expected = -min(best.fun, loss(start))
        assert float(divergence.conjugate(double(t))) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@every_divergence
def test_fenchel_young_holds_with_equality_at_the_slope(case: dict[str, Any]) -> None:
    divergence, u = build(case), double([0.01, 0.2, 0.9, 1.1, 3.0, 50.0])
    t = slope(divergence.f, u)
    torch.testing.assert_close(divergence.f(u) + divergence.conjugate(t), u * t)


@every_divergence
def test_the_threshold_is_the_slope_at_one(case: dict[str, Any]) -> None:
    divergence = build(case)
    assert float(slope(divergence.f, double(1.0))) == pytest.approx(divergence.threshold, abs=1e-12)


@every_divergence
@given(v=st.floats(-30, 30), u=st.floats(1e-3, 1e3))
def test_fenchel_young_inequality(case: dict[str, Any], v: float, u: float) -> None:
    divergence = build(case)
    t = divergence.activation(double(v))
    slack = divergence.f(double(u)) + divergence.conjugate_of_activation(double(v)) - u * t
    assert float(slack) >= -1e-9 * (1 + abs(float(u * t)))


@every_divergence
def test_the_activation_increases_and_fills_the_domain(case: dict[str, Any]) -> None:
    divergence = build(case)
    t = divergence.activation(torch.linspace(-8, 8, 500, dtype=torch.float64))
    low, high = divergence.domain
    assert (t.diff() > 0).all()
    assert low < t.min()
    assert t.max() < high
    for end, v in (low, -30.0), (high, 30.0):
        t_end = float(divergence.activation(double(v)))
        if math.isfinite(end):
            assert t_end == pytest.approx(end, abs=1e-9)
        else:
            assert abs(t_end) > 25  # on its way to infinity


@every_divergence
def test_the_simplified_composition_is_the_composition(case: dict[str, Any]) -> None:
    divergence, v = build(case), torch.linspace(-5, 5, 101, dtype=torch.float64)
    composed = divergence.conjugate(divergence.activation(v))
    torch.testing.assert_close(divergence.conjugate_of_activation(v), composed)


# ---- float32 at |v| = 50 against the published table at 120 digits

mp = mpmath.mp


def published(case: dict[str, Any]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """(activation, conjugate): Table 6 of the paper; over u >= 0 where the table forgets it."""
    exp, log, half = mp.exp, mp.log, mp.mpf(1) / 2
    pi, alpha = mp.mpf(case.get("pi", 0.5)), mp.mpf(case.get("alpha", 0.5))

    def log_sigmoid(v: Any) -> Any:
        return -log(1 + exp(-v))

    def jeffrey(t: Any) -> Any:
        w = mp.lambertw(exp(1 - t)).real
        return w + 1 / w + t - 2

    def alpha_conjugate(t: Any) -> Any:
        base = max(t * (alpha - 1) + 1, mp.mpf(0))
        return base ** (alpha / (alpha - 1)) / alpha - 1 / alpha

    def weighted_js(t: Any) -> Any:
        return (1 - pi) * log((1 - pi) / (1 - pi * exp(t / pi)))

    return {
        "f_total_variation": (lambda v: half * mp.tanh(v), lambda t: t),
        "f_kl": (lambda v: v, lambda t: exp(t - 1)),
        "f_reverse_kl": (lambda v: -exp(-v), lambda t: -1 - log(-t)),
        "f_pearson": (lambda v: v, lambda t: max(t, mp.mpf(-2)) ** 2 / 4 + max(t, mp.mpf(-2))),
        "f_neyman": (lambda v: 1 - exp(-v), lambda t: 2 - 2 * mp.sqrt(1 - t)),
        "f_squared_hellinger": (lambda v: 1 - exp(-v), lambda t: t / (1 - t)),
        "f_jeffrey": (lambda v: v, jeffrey),
        "f_jensen_shannon": (lambda v: log(2) + log_sigmoid(v), lambda t: -log(2 - exp(t))),
        "f_weighted_js": (lambda v: -pi * log(pi) + log_sigmoid(v), weighted_js),
        "f_gan": (log_sigmoid, lambda t: -log(1 - exp(t))),
        "f_alpha": (
            (lambda v: v) if alpha > 1 else (lambda v: 1 / (1 - alpha) + log_sigmoid(v)),
            alpha_conjugate,
        ),
    }[case["name"]]


GRID = torch.tensor(
    sorted(
        [
            *(0.0, 1.0, -1.0, 20.0, -20.0, -15.0, -19.5, -20.5),
            *(1e-4, -1e-4, 3e-3, -3e-3, 0.04, -0.04),
            *np.linspace(-60, 60, 200).tolist(),  # without the kinks of Pearson and alpha > 1
            *np.linspace(-8.01, 8.01, 60).tolist(),
        ]
    )
)  # float32; the references are at these numbers exactly


def check_digits(found: Tensor, expected: list[float], slack: list[float]) -> None:
    """Relative errors below 1e-5 wherever float32 has a number for it."""
    numbers = np.finfo(np.float32)
    rows = zip(GRID.tolist(), found.tolist(), expected, slack, strict=True)
    for v, ours, true, absolute in rows:
        if numbers.tiny < abs(true) < numbers.max:
            assert ours == pytest.approx(true, rel=1e-5, abs=absolute), f"at v = {v}"
        elif abs(true) <= numbers.tiny:
            assert abs(ours) < 2 * numbers.tiny, f"at v = {v}"


@every_divergence
@pytest.mark.parametrize("rule", ["activation", "conjugate_of_activation", "generator"])
def test_float32_values_and_gradients_are_right_up_to_sixty(
    case: dict[str, Any], rule: str
) -> None:
    divergence, v = build(case), GRID.clone().requires_grad_()
    sign = -1 if rule == "generator" else 1
    if rule == "generator":
        rule = "activation" if divergence.nonsaturating else "conjugate_of_activation"
        values = torch.stack([divergence.generator(logit) for logit in v])
    else:
        values = getattr(divergence, rule)(v)
    (gradients,) = torch.autograd.grad(values.sum(), v, create_graph=True)
    with mp.workdps(120):
        activation, conjugate = published(case)

        def reference(x: Any) -> Any:
            t = activation(x)
            return sign * (t if rule == "activation" else conjugate(t))

        points = [mp.mpf(x) for x in GRID.tolist()]
        truth = [float(reference(x)) for x in points]
        slopes = [float(mp.diff(reference, x, h=mp.mpf(10) ** -40)) for x in points]
    # These cross zero where a constant is subtracted; float32 has no more digits of the difference.
    offset = case["name"] in ("f_weighted_js", "f_alpha")
    near_zero = [2e-7 if offset and 1e-6 < abs(t) < 0.05 else 0.0 for t in truth]
    check_digits(values.detach(), truth, near_zero)
    check_digits(gradients.detach(), slopes, [0.0] * len(slopes))
    if gradients.requires_grad:  # what is linear has no second derivative
        (second,) = torch.autograd.grad(gradients.sum(), v)
        assert second.isfinite().all()


@every_divergence
def test_a_gradient_penalty_of_the_generators_loss_is_finite_in_float32(
    case: dict[str, Any],
) -> None:
    """At kinks and at the bounds of formulas in two pieces too."""
    for at in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 20.0, -20.0, math.log(2), -math.log(2)):
        v = torch.tensor(at, requires_grad=True)
        (gradient,) = torch.autograd.grad(build(case).critic(v, v), v, create_graph=True)
        if gradient.requires_grad:
            assert torch.autograd.grad(gradient.square(), v)[0].isfinite()


@pytest.mark.parametrize("pi", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("v", [70.0, 89.5, 110.0, 1e4])
def test_weighted_js_is_linear_beyond_where_exp_underflows(pi: float, v: float) -> None:
    """f*(g(v)) is (1 - pi) (v + log(pi (1 - pi))) but for exp(-v)."""
    divergence, at = build({"name": "f_weighted_js", "pi": pi}), torch.tensor(v)
    value = float(divergence.conjugate_of_activation(at))
    assert value == pytest.approx((1 - pi) * (v + math.log(pi * (1 - pi))), rel=1e-6)
    assert float(slope(divergence.conjugate_of_activation, at)) == pytest.approx(1 - pi, rel=1e-6)


# ---- The game


def logits_of(divergence: FDivergence, t: float) -> float:
    """The v with g(v) = t, by bisection; +-40 at the ends of the domain."""

    def gap(v: float) -> float:
        return float(divergence.activation(double(v))) - t

    return optimize.brentq(gap, -40, 40, xtol=1e-13) if gap(-40) < 0 < gap(40) else 40 * np.sign(t)


P, Q = np.array([1, 2, 3, 4]), np.array([4, 3, 1, 2])  # counts of ten draws


@every_divergence
def test_the_estimate_at_the_optimal_critic_is_the_divergence(case: dict[str, Any]) -> None:
    divergence = build(case)
    t = slope(divergence.f, double(P / Q)).tolist()
    v = double([logits_of(divergence, value) for value in t])
    real, fake = v.repeat_interleave(torch.as_tensor(P)), v.repeat_interleave(torch.as_tensor(Q))
    (estimate,) = divergence.estimate(real, fake).values()
    assert float(estimate) == pytest.approx(discrete_divergence(case, P / 10, Q / 10), rel=1e-6)


@every_divergence
@given(v=st.lists(st.floats(-10, 10), min_size=4, max_size=4))
def test_any_other_critic_estimates_less(case: dict[str, Any], v: list[float]) -> None:
    logits = double(v)
    real = logits.repeat_interleave(torch.as_tensor(P))
    fake = logits.repeat_interleave(torch.as_tensor(Q))
    (estimate,) = build(case).estimate(real, fake).values()
    assert float(estimate) <= discrete_divergence(case, P / 10, Q / 10) + 1e-9


def generator_slope(
    divergence: FDivergence, rule: Callable[[Tensor], Tensor], q: Tensor, p: Tensor
) -> Tensor:
    """The gradient of -E_Q[rule(V)] in the logits of Q, the critic V being optimal and frozen."""
    law = q.clone().requires_grad_()
    ratio = p / q.softmax(0)
    t = slope(divergence.f, ratio).tolist()
    v = double([logits_of(divergence, value) for value in t])
    return torch.autograd.grad(-(law.softmax(0) * rule(v)).sum(), law)[0]


@every_divergence
def test_the_minimax_generator_descends_the_divergence(case: dict[str, Any]) -> None:
    divergence, p, q = build(case), double([0.1, 0.2, 0.3, 0.4]), double([0.3, 0.7, 0.1, -0.5])

    def exact(logits: Tensor) -> Tensor:
        return (logits.softmax(0) * divergence.f(p / logits.softmax(0))).sum()

    ours = generator_slope(divergence, divergence.conjugate_of_activation, q, p)
    torch.testing.assert_close(ours, slope(exact, q), rtol=1e-6, atol=1e-8)


def test_the_nonsaturating_generator_of_kl_descends_reverse_kl() -> None:
    p, q = double([0.1, 0.2, 0.3, 0.4]), double([0.3, 0.7, 0.1, -0.5])
    kl = build({"name": "f_kl"})

    def reverse_kl(logits: Tensor) -> Tensor:
        return (logits.softmax(0) * (logits.log_softmax(0) - p.log())).sum()

    torch.testing.assert_close(generator_slope(kl, kl.activation, q, p), slope(reverse_kl, q))


@every_divergence
def test_critic_and_generator_play_the_bound(case: dict[str, Any]) -> None:
    real, fake = double([0.3, 2.0]), double([-1.0, 0.5])
    minimax, trick = build(case, generator="minimax"), build(case, generator="nonsaturating")
    activation, conjugate = minimax.activation, minimax.conjugate
    expected = conjugate(activation(fake)).mean() - activation(real).mean()
    torch.testing.assert_close(minimax.critic(real, fake), expected)
    torch.testing.assert_close(minimax.generator(fake), -conjugate(activation(fake)).mean())
    torch.testing.assert_close(trick.generator(fake), -activation(fake).mean())


@every_divergence
def test_a_default_generator_keeps_learning_and_does_not_explode(case: dict[str, Any]) -> None:
    """At a fake that the critic rejects; total variation alone saturates, whatever the rule."""
    gradient = -float(slope(build(case).generator, double(-6.0)))
    assert gradient < 25
    assert gradient > (1e-6 if case["name"] == "f_total_variation" else 2e-3)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"name": "f_alpha", "alpha": 0.0}, "loss=f_reverse_kl"),
        ({"name": "f_alpha", "alpha": 1.0}, "loss=f_kl"),
        ({"name": "f_weighted_js", "pi": 1.0}, "above 0 and below 1"),
        ({"name": "f_weighted_js", "pi": 0.0}, "above 0 and below 1"),
    ],
)
def test_degenerate_options_are_refused_with_advice(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        build(options)


# ---- Numerics


def test_log_wright_omega_agrees_with_scipy() -> None:
    z = torch.linspace(-300, 3000, 5001, dtype=torch.float64)
    omega = special.wrightomega(z.numpy())
    expected = torch.where(z < -30, z, double(np.log(np.maximum(omega, 1e-300))))
    found = log_wright_omega_of_one_plus(z - 1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "function", [log_wright_omega_of_one_plus, expm1, half_tanh, log_twice_sigmoid]
)
def test_helpers_are_differentiable_twice(function: Callable[[Tensor], Tensor]) -> None:
    v = double([-8.0, -3.0, -1.0, -0.999, -1e-3, 0.5, 1.0, 4.0, 8.0]).requires_grad_()
    assert torch.autograd.gradcheck(function, v)
    assert torch.autograd.gradgradcheck(function, v)


@pytest.mark.parametrize("power", [-1.5, 0.5, 1.5, 2.0, 3.0])
def test_power_minus_one(power: float) -> None:
    x = [-3.0, -1.0, -0.999, -0.5, -1e-6, 0.0, 1e-9, 0.3, 0.5, 20.0]
    with mp.workdps(60):
        bases = [max(1 + mp.mpf(a), mp.mpf(0)) for a in x]
        expected = [float(b**power - 1) if b or power > 0 else math.inf for b in bases]
    torch.testing.assert_close(
        power_minus_one(double(x), power), double(expected), rtol=1e-12, atol=0
    )
    at = double(x).requires_grad_()
    (first,) = torch.autograd.grad(power_minus_one(at, power).sum(), at, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), at)
    inside = at.detach() > -1
    slopes = power * (1 + at.detach()[inside]) ** (power - 1)
    torch.testing.assert_close(first.detach()[inside], slopes)
    assert second.isfinite().all()


@pytest.mark.parametrize("x", [-1e-20, -1e-3, -0.7, -3.0, -60.0])
def test_log_one_minus_exp_keeps_its_digits(x: float) -> None:
    with mp.workdps(60):
        expected = float(mp.log(1 - mp.exp(mp.mpf(x))))
    assert float(log_one_minus_exp(torch.tensor(x))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("x", [-80.0, -20.5, -19.5, -1.0, 3.0, 50.0])
def test_log_softplus_keeps_its_digits(x: float) -> None:
    with mp.workdps(60):
        expected = float(mp.log(mp.log1p(mp.exp(mp.mpf(x)))))
    assert float(log_softplus(torch.tensor(x))) == pytest.approx(expected, rel=1e-6)
