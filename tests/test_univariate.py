"""f-GAN's univariate experiment against the truth: closed forms, and integrals of scipy."""

import math

import mpmath  # a dependency of torch (by way of sympy)
import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from gan_cli.data.sets import datasets
from gan_cli.losses import losses
from gan_cli.metrics import metrics
from gan_cli.metrics.closest_gaussian import Profile, closest_gaussian, divergence
from gan_cli.metrics.metric import Collected
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import composed, trained

WEIGHTS, MEANS, STDS = (0.4, 0.6), (-1.0, 1.5), (0.6, 0.8)

INTEGRANDS = {  # of densities p and q; f-GAN's definitions, written down again
    "f_kl": lambda p, q: p * np.log(p / q),
    "f_reverse_kl": lambda p, q: q * np.log(q / p),
    "f_jensen_shannon": lambda p, q: (
        p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))
    ),
    "f_jeffrey": lambda p, q: (p - q) * np.log(p / q),
    "f_pearson": lambda p, q: (p - q) ** 2 / q,
    "f_squared_hellinger": lambda p, q: (np.sqrt(p) - np.sqrt(q)) ** 2,
}  # fmt: skip


def loss_of(name):
    return losses.build({"name": name}, where="loss.adversarial")


def density_of(means, stds, weights):
    node = {"name": "mixture1d", "means": means, "stds": stds, "weights": weights, "count": 1}
    return datasets.build(node, where="dataset").density()


def profile_of(means, stds, weights):
    return Profile.of(density_of(means, stds, weights))


STANDARD = ([0.0], [1.0], [1.0])


def pdf(x):
    return sum(w * norm.pdf(x, m, s) for w, m, s in zip(WEIGHTS, MEANS, STDS, strict=True))


def test_density_of_a_mixture():
    density = density_of(MEANS, STDS, WEIGHTS)
    x = np.linspace(-6, 6, 50)
    np.testing.assert_allclose(
        density.log(torch.from_numpy(x)).exp().numpy(), pdf(x), rtol=1e-5
    )  # its means are float32
    assert (density.low, density.high) == pytest.approx((-1 - 12 * 0.6, 1.5 + 12 * 0.8))


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("f_kl", math.log(2) + (1 + 0.49) / 8 - 1 / 2),
        ("f_reverse_kl", -math.log(2) + (4 + 0.49) / 2 - 1 / 2),
        ("f_squared_hellinger", 2 - 2 * math.sqrt(4 / 5) * math.exp(-0.49 / 4 / 5)),
        ("f_pearson", 4 / math.sqrt(7) * math.exp(0.49 / 7) - 1),
    ],
)
def test_divergence_of_two_gaussians(name, truth):
    """P standard normal, Q with mean 0.7 and deviation 2; Nielsen & Nock 2014 (arXiv:1309.3029)."""
    found = divergence(loss_of(name), profile_of(*STANDARD), 0.7, 2.0)
    assert found == pytest.approx(truth, rel=1e-9)


def alpha_closed(a, mu, sigma):
    """(E_Q[(p/q)^a] - 1) / (a (a - 1)) of N(0, 1) and N(mu, sigma^2); inf where it diverges."""
    precision = a + (1 - a) / sigma**2
    if precision <= 0:
        return math.inf
    exponent = ((1 - a) * mu / sigma**2) ** 2 / precision / 2 - (1 - a) * mu**2 / sigma**2 / 2
    return math.expm1(exponent - (1 - a) * math.log(sigma) - math.log(precision) / 2) / (
        a * (a - 1)
    )


CLOSED = {  # of N(0, 1) against N(mu, sigma^2)
    "f_kl": lambda mu, s: math.log(s) + (1 + mu**2) / (2 * s**2) - 1 / 2,
    "f_reverse_kl": lambda mu, s: -math.log(s) + (s**2 + mu**2) / 2 - 1 / 2,
    "f_jeffrey": lambda mu, s: (1 + mu**2) / (2 * s**2) + (s**2 + mu**2) / 2 - 1,
    "f_pearson": lambda mu, s: 2 * alpha_closed(2, mu, s),
    "f_neyman": lambda mu, s: 2 * alpha_closed(-1, mu, s),
    "f_squared_hellinger": lambda mu, s: alpha_closed(0.5, mu, s) / 2,
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize(
    ("mu", "sigma"),
    [
        *((0.0, 1.001), (0.7, 2.0), (-3.0, 0.8), (0.1, 0.72), (3.0, 1.4)),
        *((1e4, 1e3), (0.0, 1e-3), (5.0, 1e-6), (0.0, 1e5), (4.0, 1.0)),  # far, narrow, wide
        *((0.0, 1.41), (0.0, 1.42), (1.0, 0.708), (0.0, 0.707), (0.0, 3.0)),  # by the limits
    ],
)
def test_closed_forms_near_and_far(name, mu, sigma):
    """Chi2 is infinite at 2 sigma_q^2 <= sigma_p^2 (Pearson), sigma_q^2 >= 2 sigma_p^2 (Neyman)."""
    try:
        truth = CLOSED[name](mu, sigma)
    except OverflowError:
        truth = math.inf
    found = divergence(loss_of(name), profile_of(*STANDARD), mu, sigma)
    assert found == pytest.approx(truth, rel=1e-8, abs=1e-13)


@pytest.mark.parametrize("alpha", [-1.0, 0.3, 1.5, 3.0])
@pytest.mark.parametrize(("mu", "sigma"), [(0.5, 1.2), (2.0, 0.9), (0.3, 0.6), (0.0, 1.5)])
def test_alpha_in_closed_form(alpha, mu, sigma):
    loss = losses.build({"name": "f_alpha", "alpha": alpha}, where="loss.adversarial")
    found = divergence(loss, profile_of(*STANDARD), mu, sigma)
    assert found == pytest.approx(alpha_closed(alpha, mu, sigma), rel=1e-8)


@pytest.mark.parametrize(("mu", "sigma"), [(0.7, 1.0), (0.0, 3.0), (30.0, 1.0), (0.2, 1.01)])
def test_total_variation_by_distribution_functions(mu, sigma):
    """|P(A) - Q(A)| of the set between the two points, or on one side of the one, where p = q."""
    if sigma == 1:
        truth = 2 * norm.cdf(mu / 2) - 1
    else:
        roots = np.roots(
            [1 / sigma**2 - 1, -2 * mu / sigma**2, mu**2 / sigma**2 + 2 * np.log(sigma)]
        )
        low, high = sorted(roots.real)
        truth = (
            norm.cdf(high) - norm.cdf(low) - norm.cdf(high, mu, sigma) + norm.cdf(low, mu, sigma)
        )
    found = divergence(loss_of("f_total_variation"), profile_of(*STANDARD), mu, sigma)
    assert found == pytest.approx(abs(truth), rel=1e-9)


@pytest.mark.parametrize(
    "case",
    [
        *({"name": name} for name in ("f_jensen_shannon", "f_gan", "f_total_variation")),
        *({"name": "f_weighted_js", "pi": pi} for pi in (0.05, 0.5, 0.7)),
    ],
    ids=lambda case: "-".join(map(str, case.values())),
)
def test_divergences_without_closed_form_by_mpmath(case):
    mp, pi = mpmath.mp, case.get("pi", 0.5)
    loss = losses.build(case, where="loss.adversarial")

    def integrand(x):
        p, q = mp.npdf(x), mp.npdf(x, 1.5, 0.5)
        m = pi * p + (1 - pi) * q
        if case["name"] == "f_total_variation":
            return abs(p - q) / 2
        return pi * p * mp.log(p / m) + (1 - pi) * q * mp.log(q / m)

    crossing = np.roots([3, -12, 9 - 2 * np.log(2)])  # of the two densities
    with mp.workdps(30):
        parts = sorted([-15, -6, -2, 0, 1.5, 2, 4, 6, 15, *(mp.mpf(x) for x in crossing)])
        truth = float(mp.quad(integrand, parts))
    if case["name"] in ("f_jensen_shannon", "f_gan"):
        truth = 2 * truth - (2 * math.log(2) if case["name"] == "f_gan" else 0)
    found = divergence(loss, profile_of(*STANDARD), 1.5, 0.5)
    assert found == pytest.approx(truth, rel=1e-7)


def test_narrow_modes_are_seen():
    """Means +-1, deviation .003: the closest in KL has the moments of the mixture."""
    profile = profile_of([-1.0, 1.0], [0.003, 0.003], [0.5, 0.5])
    deviation = math.sqrt(1 + 0.003**2)
    assert closest_gaussian(loss_of("f_kl"), profile) == pytest.approx((0, deviation), abs=1e-5)
    entropy = math.log(0.003) + math.log(2 * math.pi * math.e) / 2 + math.log(2)
    truth = math.log(2 * math.pi * math.e) / 2 + math.log(deviation) - entropy
    assert divergence(loss_of("f_kl"), profile, 0.0, deviation) == pytest.approx(truth, rel=1e-8)


def test_a_narrow_mode_within_a_wide_one_is_seen():
    profile = profile_of([0.0, 0.3], [1.0, 1e-5], [0.5, 0.5])
    variance = 0.5 * 1 + 0.5 * 1e-10 + 0.5 * 0.3**2 - 0.15**2
    found = closest_gaussian(loss_of("f_kl"), profile)
    assert found == pytest.approx((0.15, variance**0.5), abs=1e-5)


@pytest.mark.parametrize("name", INTEGRANDS)
def test_shifting_and_scaling_the_line_changes_nothing(name):
    near = divergence(loss_of(name), profile_of(MEANS, STDS, WEIGHTS), 0.5, 1.5)
    moved = [100 * np.array(values) for values in (MEANS, STDS)]
    far = profile_of((moved[0] + 2**12).tolist(), moved[1].tolist(), WEIGHTS)
    assert divergence(loss_of(name), far, 50 + 2**12, 150.0) == pytest.approx(near, rel=1e-5)


@pytest.mark.parametrize("name", INTEGRANDS)
def test_no_gaussian_is_closer(name):
    """Adaptive quadrature of the definition, at the minimum and around it."""

    def exact(mu, sigma):
        def integrand(x):
            return INTEGRANDS[name](pdf(x), norm.pdf(x, mu, sigma))

        return quad(integrand, -9, 9, points=MEANS, epsabs=1e-10, limit=200)[0]

    loss, profile = loss_of(name), profile_of(MEANS, STDS, WEIGHTS)
    mu, sigma = closest_gaussian(loss, profile)
    least = exact(mu, sigma)
    assert divergence(loss, profile, mu, sigma) == pytest.approx(least, rel=1e-6)
    for d_mu, d_sigma in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        assert exact(mu + d_mu, sigma + d_sigma) > least


def test_closest_in_kl_has_the_moments_of_the_mixture():
    mean = 0.4 * -1.0 + 0.6 * 1.5
    variance = 0.4 * 0.6**2 + 0.6 * 0.8**2 + 0.4 * 0.6 * 2.5**2
    found = closest_gaussian(loss_of("f_kl"), profile_of(MEANS, STDS, WEIGHTS))
    assert found == pytest.approx((mean, variance**0.5), abs=1e-4)


def test_closest_in_reverse_kl_is_the_heaviest_of_distant_modes():
    """Of several minima the lowest: there KL(Q||P) = -log of the mode's weight."""
    profile = profile_of([-10.0, 10.0], [0.5, 1.5], [0.3, 0.7])
    loss = loss_of("f_reverse_kl")
    assert closest_gaussian(loss, profile) == pytest.approx((10.0, 1.5), abs=1e-3)
    assert divergence(loss, profile, 10.0, 1.5) == pytest.approx(-math.log(0.7), rel=1e-6)


def score(samples, **options):
    metric = metrics.build({"name": "gaussian_fit", **options}, where="metrics.compute.x")
    real = Collected(2, density=density_of(MEANS, STDS, WEIGHTS))
    return metric(real, Collected(len(samples), samples=samples))


def test_fit_error_is_the_larger_of_two():
    mean, deviation = 0.5, 2.028**0.5  # the mixture's
    quantiles = torch.from_numpy(norm.ppf((np.arange(10_000) + 0.5) / 10_000))[:, None]
    found = score(mean + 0.1 + (deviation - 0.3) * quantiles, divergence={"name": "f_kl"})
    assert found["mu"] == pytest.approx(mean + 0.1)
    assert found["fit_error"] == pytest.approx(0.3, abs=1e-3)
    assert found["divergence"] > found["least_divergence"]
    assert found["closest_sigma"] == pytest.approx(deviation, abs=1e-4)
    assert "bound" not in found  # without a critic


def test_collapsed_samples_are_infinitely_far_but_told_in_numbers():
    found = score(torch.zeros(10, 1), divergence={"name": "f_kl"})
    assert found["sigma"] == pytest.approx(0)
    assert found["divergence"] > 100


def test_divergence_is_on_the_scale_of_the_log():
    """JSD is logged, of which the paper's f makes twice as much."""
    samples = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0))
    shown = score(samples, divergence={"name": "f_gan", "generator": "minimax"})["divergence"]
    mu, sigma = samples.double().mean().item(), samples.double().std().item()
    raw = quad(lambda x: INTEGRANDS["f_jensen_shannon"](pdf(x), norm.pdf(x, mu, sigma)), -6, 6)[0]
    assert shown == pytest.approx(raw / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("loss=hinge",), "loss.adversarial.generator: unknown key"),
        (("metrics.compute.gaussian_fit.divergence={name: hinge}",), "choose loss=f_kl"),
    ],
)
def test_what_has_no_answer_is_refused(words, told):
    with pytest.raises(ConfigError, match=told):
        validate(composed("run=x", "experiment=mixture1d_f", *words))


def test_a_density_that_nobody_knows_is_told_before_training():
    words = ("dataset=ring", "model=mlp", "loss=f_kl", "metrics=gaussian_fit")
    with pytest.raises(ConfigError, match="needs data with a known density, as dataset=mixture1d"):
        validate(composed("run=x", *words))


@pytest.mark.slow
def test_the_gaussian_that_is_learned_is_the_closest(tmp_path):
    """(mu, sigma) within 0.05 of the truth, and the critic's bound within 5 %."""
    quiet = ("run=x", "device=cpu", "steps=800", "every={log: 100, preview: 0, evaluate: 800}")
    config = validate(composed("experiment=mixture1d_f", *quiet, "health=false"))
    scores = {name: value for name, (value, _) in trained(config, tmp_path).scores.last.items()}
    mean, deviation = 0.5, 2.028**0.5  # of the mixture: where KL(P||Q) is least
    assert (scores["mu"], scores["sigma"]) == pytest.approx((mean, deviation), abs=0.05)
    assert scores["fit_error"] < 0.05
    assert scores["bound"] == pytest.approx(scores["least_divergence"], rel=0.05)
