"""Latents have the laws they are named after."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gan_cli.data.spec import vector_spec
from gan_cli.networks import networks
from gan_cli.networks.layers.latent import (
    draw_latent,
    seeded_latent,
    slerp,
    truncated_normal,
)
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

CPU = torch.device("cpu")


def generator(prior: str, latent_dim: int = 50) -> torch.nn.Module:
    node = {"name": "mlp_generator", "prior": prior, "latent_dim": latent_dim}
    return networks.build(node, vector_spec(2), where="it")


def draw(prior: str, truncation: float | None = None) -> torch.Tensor:
    """Latents of the seeds 0 to 999."""
    return seeded_latent(generator(prior), Noise(range(1000)), truncation)


@pytest.mark.parametrize(
    ("prior", "law"), [("normal", stats.norm()), ("uniform", stats.uniform(-1, 2))]
)
def test_priors(prior, law):
    torch.manual_seed(1)
    for latent in draw(prior), draw_latent(generator(prior), 1000, CPU):
        assert latent.shape == (1000, 50)
        assert latent.dtype == torch.float32
        assert stats.kstest(latent.flatten().numpy(), law.cdf).pvalue > 0.01


@pytest.mark.parametrize("bound", [0.04, 0.5, 1.0, 2.0, 6.0, 50.0])
def test_truncation(bound):
    latent = draw("normal", bound).flatten()
    assert latent.isfinite().all()
    assert latent.abs().max() <= bound
    law = stats.truncnorm(-bound, bound)
    assert stats.kstest(latent.double().numpy(), law.cdf).pvalue > 0.01


def test_truncated_numbers_redraw_those_beyond_the_bound():
    """Quantile by quantile: scipy's inverse of the truncated distribution function."""
    uniform = torch.arange(0, 1000, dtype=torch.float64) / 1000
    expected = stats.truncnorm(-1.5, 1.5).ppf(uniform.numpy())
    found = truncated_normal(uniform, 1.5).numpy()
    assert found == pytest.approx(expected, abs=1e-9)


def test_seeds_repeat_and_leave_the_global_stream_alone():
    network = generator("normal")
    before = torch.get_rng_state()
    first, second = (seeded_latent(network, Noise([1, 5, 1])) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first[0], first[2])
    assert not torch.equal(first[0], first[1])
    assert torch.equal(before, torch.get_rng_state())


def test_in_training_the_global_stream_decides():
    network = generator("normal")
    torch.manual_seed(3)
    latent = draw_latent(network, 4, CPU)
    torch.manual_seed(3)
    assert torch.equal(latent, torch.randn(4, 50))


def test_refusals():
    with pytest.raises(ConfigError, match="uniform prior has no tails"):
        draw("uniform", 0.5)
    with pytest.raises(ConfigError, match="must be above 0, got -1"):
        draw("normal", -1)


@given(st.floats(0.05, math.pi - 0.05), st.floats(0, 1), st.floats(0.1, 10))
def test_slerp_turns_at_constant_speed(angle, t, radius):
    a = radius * torch.tensor([1.0, 0, 0], dtype=torch.float64)
    b = radius * torch.tensor([math.cos(angle), math.sin(angle), 0], dtype=torch.float64)
    along = radius * torch.tensor(
        [math.cos(t * angle), math.sin(t * angle), 0], dtype=torch.float64
    )
    torch.testing.assert_close(slerp(a, b, t), along, atol=1e-6, rtol=1e-6)


def test_slerp_at_the_ends_and_in_a_batch():
    a, b = torch.randn(7, 100), 3 * torch.randn(7, 100)
    torch.testing.assert_close(slerp(a, b, 0.0), a)
    torch.testing.assert_close(slerp(a, b, 1.0), b)
    torch.testing.assert_close(slerp(a, b, 0.3)[4], slerp(a[4], b[4], 0.3))
    t = torch.linspace(0, 1, 9)[:, None]
    strip = slerp(a[0], b[0], t)
    torch.testing.assert_close(strip, torch.stack([slerp(a[0], b[0], float(s)) for s in t]))


def test_slerp_between_parallel_vectors():
    a = torch.randn(100)
    torch.testing.assert_close(slerp(a, a, 0.5), a)
    torch.testing.assert_close(slerp(a, 3 * a, 0.5), 2 * a)
    assert slerp(a, -a, 0.25).isfinite().all()
    nearly = a + 1e-4 * torch.randn(100)
    torch.testing.assert_close(slerp(a, nearly, 0.5), (a + nearly) / 2, atol=1e-6, rtol=1e-6)
