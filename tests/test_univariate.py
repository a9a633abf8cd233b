"""f-GAN's univariate experiment against the truth: closed forms, and integrals of scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from gan_cli.data.sets import datasets
from gan_cli.losses import losses
from gan_cli.metrics import metrics
from gan_cli.metrics.gaussian_fit import closest_gaussian, divergence
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
    found = divergence(loss_of(name), density_of([0.0], [1.0], [1.0]), 0.7, 2.0)
    assert found.item() == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("name", INTEGRANDS)
def test_no_gaussian_is_closer(name):
    """Adaptive quadrature of the definition, at the minimum and around it."""

    def exact(mu, sigma):
        def integrand(x):
            return INTEGRANDS[name](pdf(x), norm.pdf(x, mu, sigma))

        return quad(integrand, -9, 9, points=MEANS, epsabs=1e-10, limit=200)[0]

    loss, density = loss_of(name), density_of(MEANS, STDS, WEIGHTS)
    mu, sigma = closest_gaussian(loss, density)
    least = exact(mu, sigma)
    assert divergence(loss, density, mu, sigma).item() == pytest.approx(least, rel=1e-6)
    for d_mu, d_sigma in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        assert exact(mu + d_mu, sigma + d_sigma) > least


def test_closest_in_kl_has_the_moments_of_the_mixture():
    mean = 0.4 * -1.0 + 0.6 * 1.5
    variance = 0.4 * 0.6**2 + 0.6 * 0.8**2 + 0.4 * 0.6 * 2.5**2
    found = closest_gaussian(loss_of("f_kl"), density_of(MEANS, STDS, WEIGHTS))
    assert found == pytest.approx((mean, variance**0.5), abs=1e-4)


def test_closest_in_reverse_kl_is_the_heaviest_of_distant_modes():
    """Of several minima the lowest: there KL(Q||P) = -log of the mode's weight."""
    density = density_of([-10.0, 10.0], [0.5, 1.5], [0.3, 0.7])
    loss = loss_of("f_reverse_kl")
    assert closest_gaussian(loss, density) == pytest.approx((10.0, 1.5), abs=1e-3)
    assert divergence(loss, density, 10.0, 1.5).item() == pytest.approx(-math.log(0.7), rel=1e-6)


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
    quiet = ("run=x", "device=cpu", "every={log: 100, preview: 0, evaluate: 500, checkpoint: 0}")
    config = validate(composed("experiment=mixture1d_f", *quiet, "health=false"))
    scores = {name: value for name, (value, _) in trained(config, tmp_path).scores.last.items()}
    mean, deviation = 0.5, 2.028**0.5  # of the mixture: where KL(P||Q) is least
    assert (scores["mu"], scores["sigma"]) == pytest.approx((mean, deviation), abs=0.05)
    assert scores["fit_error"] < 0.05
    assert scores["bound"] == pytest.approx(scores["least_divergence"], rel=0.05)
