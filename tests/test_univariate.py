"""f-GAN's univariate experiment against the truth: integrals and a minimizer of scipy."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from gan_cli.validation import validate
from tests.helpers import composed, trained

X = np.linspace(-12, 12, 6001)
P = 0.4 * norm.pdf(X, -1.0, 0.6) + 0.6 * norm.pdf(X, 1.5, 0.8)
LOG_P = np.log(P)


def kl(log_p, log_q):
    return np.trapezoid(np.exp(log_p) * (log_p - log_q), X)


def js(log_p, log_q):
    middle = np.logaddexp(log_p, log_q) - np.log(2)
    return kl(log_p, middle) + kl(log_q, middle)


def hellinger(log_p, log_q):
    return np.trapezoid((np.exp(log_p / 2) - np.exp(log_q / 2)) ** 2, X)


def pearson(log_p, log_q):
    return np.trapezoid(np.exp(2 * log_p - log_q), X) - 1


DIVERGENCES = {
    "f_kl": kl,
    "f_reverse_kl": lambda p, q: kl(q, p),
    "f_jensen_shannon": js,
    "f_jeffrey": lambda p, q: kl(p, q) + kl(q, p),
    "f_pearson": pearson,
    "f_squared_hellinger": hellinger,
}


def closest(divergence):
    """(mu, sigma) of the closest Gaussian, and how close it is."""
    found = minimize(
        lambda t: divergence(LOG_P, norm.logpdf(X, t[0], np.exp(t[1]))), (0.5, 0.4),
        method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10},
    )  # fmt: skip
    return found.x[0], np.exp(found.x[1]), found.fun


def test_the_closest_gaussian_in_kl_has_the_moments_of_the_mixture():
    """A closed form, for the minimizer itself."""
    mu, sigma, _ = closest(kl)
    mean = 0.4 * -1.0 + 0.6 * 1.5
    variance = 0.4 * 0.6**2 + 0.6 * 0.8**2 + 0.4 * 0.6 * 2.5**2
    assert (mu, sigma) == pytest.approx((mean, variance**0.5), abs=1e-4)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergences_of_two_gaussians(name):
    """Closed forms at N(0, 1) and N(1, 1): the integrals that the truth is made of."""
    p, q = norm.logpdf(X, 0, 1), norm.logpdf(X, 1, 1)
    closed = {
        "f_kl": 0.5,
        "f_reverse_kl": 0.5,
        "f_jeffrey": 1.0,
        "f_pearson": np.e - 1,
        "f_squared_hellinger": 2 - 2 * np.exp(-1 / 8),
    }
    found = DIVERGENCES[name](p, q)
    assert 0 < found < 2 * np.log(2) or name in closed
    assert found == pytest.approx(closed.get(name, found), rel=1e-6)


@pytest.mark.slow
def test_the_gaussian_that_kl_learns_is_the_closest(tmp_path):
    """(mu, sigma) within 0.05, and the mean of the last bounds within 5 %."""
    quiet = ("run=x", "device=cpu", "every={log: 50, preview: 0, evaluate: 0, checkpoint: 0}")
    config = validate(composed("experiment=mixture1d_f_kl", *quiet, "health=false"))
    generator = trained(config, tmp_path).average.networks["generator"]
    mu, sigma, divergence = closest(kl)
    assert generator.mu.item() == pytest.approx(mu, abs=0.05)
    assert abs(generator.sigma.item()) == pytest.approx(sigma, abs=0.05)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()[-8:]
    bounds = [json.loads(line)["discriminator/kl_divergence"] for line in lines]
    assert np.mean(bounds) == pytest.approx(divergence, rel=0.05)
