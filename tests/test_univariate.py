"""f-GAN's univariate experiment against the truth: integrals and a minimizer of scipy."""

import json

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import minimize
from scipy.stats import norm

from gan_cli.validation import validate
from tests.helpers import composed, trained

X = np.linspace(-12, 12, 6001)
LOG_P = np.log(0.4 * norm.pdf(X, -1.0, 0.6) + 0.6 * norm.pdf(X, 1.5, 0.8))


def kl(log_p, log_q):
    return trapezoid(np.exp(log_p) * (log_p - log_q), X)


def closest():
    """(mu, sigma) of the Gaussian closest in KL(P||Q), and how close it is."""
    found = minimize(
        lambda t: kl(LOG_P, norm.logpdf(X, t[0], np.exp(t[1]))), (0.5, 0.4),
        method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10},
    )  # fmt: skip
    return found.x[0], np.exp(found.x[1]), found.fun


def test_the_closest_gaussian_in_kl_has_the_moments_of_the_mixture():
    """A closed form, for the minimizer itself."""
    mu, sigma, _ = closest()
    mean = 0.4 * -1.0 + 0.6 * 1.5
    variance = 0.4 * 0.6**2 + 0.6 * 0.8**2 + 0.4 * 0.6 * 2.5**2
    assert (mu, sigma) == pytest.approx((mean, variance**0.5), abs=1e-4)


def test_kl_of_two_gaussians():
    """A closed form, for the integral."""
    p, q = norm.logpdf(X, 0, 1), norm.logpdf(X, 1, 2)
    assert kl(p, q) == pytest.approx(np.log(2) + (1 + 1) / (2 * 4) - 1 / 2, rel=1e-6)


@pytest.mark.slow
def test_the_gaussian_that_kl_learns_is_the_closest(tmp_path):
    """(mu, sigma) within 0.05, and the mean of the last bounds within 5 %."""
    quiet = ("run=x", "device=cpu", "every={log: 50, preview: 0, evaluate: 0, checkpoint: 0}")
    config = validate(composed("experiment=mixture1d_f_kl", *quiet, "health=false"))
    generator = trained(config, tmp_path).average.networks["generator"]
    mu, sigma, divergence = closest()
    assert generator.mu.item() == pytest.approx(mu, abs=0.05)
    assert abs(generator.sigma.item()) == pytest.approx(sigma, abs=0.05)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()[-8:]
    bounds = [json.loads(line)["discriminator/kl_divergence"] for line in lines]
    assert np.mean(bounds) == pytest.approx(divergence, rel=0.05)
