"""augment=diffusion: the noise of Diffusion-GAN against its definition."""

import numpy as np
import pytest
import torch

from gan_cli.augment import augments
from gan_cli.augment.diffusion import Diffusion
from gan_cli.utils.errors import ConfigError
from tests.helpers import small, tensors_of, trained

CPU = torch.device("cpu")


def made(**options) -> Diffusion:
    return augments.build({"name": "diffusion", "batch_size": 64, **options}, where="augment")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(("p", "longest"), [(0.0, 10), (0.3, 307), (1.0, 1000)])
def test_what_is_left_of_the_data_is_the_product_of_a_linear_schedule(p, longest):
    augment = made(p=p)
    assert augment.steps(CPU).item() == longest
    expected = np.cumprod(1 - np.linspace(1e-4, 2e-2, longest))
    np.testing.assert_allclose(augment.kept(torch.arange(1, longest + 1)), expected, atol=1e-6)


def test_the_published_value_of_the_shortest_diffusion():
    assert made(p=0).kept(torch.tensor([10])).item() == pytest.approx(0.903739, abs=1e-6)


@pytest.mark.parametrize("times", ["priority", "uniform"])
def test_times_are_as_likely_as_promised(times):
    drawn = made(p=0, times=times).times_of(torch.zeros(100_000, 1))
    share = torch.bincount(drawn, minlength=11)[1:] / len(drawn)
    t = torch.arange(1, 11)
    expected = t / 55 if times == "priority" else torch.full((10,), 0.1)
    torch.testing.assert_close(share, expected, atol=0.005, rtol=0)


@pytest.mark.parametrize("shape", [(2,), (1, 64), (3, 4, 4)])
def test_moments_are_those_of_the_process(shape):
    """E x_t = E sqrt(a) x, Var x_t = (1 - E a) s^2 + Var sqrt(a) x^2 over the drawn times."""
    augment = made(p=1.0, clean=0.25, noise_std=0.5)
    found = augment(torch.full((40_000, *shape), 0.8)).flatten(1)
    a = np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))
    weights = np.arange(1, 1001) / np.arange(1, 1001).sum()
    root = 0.75 * (weights * np.sqrt(a)).sum() + 0.25
    mean_a = 0.75 * (weights * a).sum() + 0.25
    variance = (1 - mean_a) * 0.25 + (mean_a - root**2) * 0.64
    assert found.mean().item() == pytest.approx(0.8 * root, abs=0.005)
    assert found.var(0).mean().item() == pytest.approx(variance, rel=0.03)


def test_clean_samples_keep_their_values_and_gradients_flow_to_all():
    samples = torch.randn(1000, 3, 2, 2, requires_grad=True)
    found = made(p=0.5)(samples)
    same = (found == samples).flatten(1).all(1)
    assert same.float().mean().item() == pytest.approx(0.5, abs=0.06)
    (gradient,) = torch.autograd.grad(found.square().sum(), samples, create_graph=True)
    assert gradient[same].allclose(2 * samples[same])
    gradient.square().sum().backward()
    assert samples.grad.flatten(1).abs().sum(1).min() > 0
    assert torch.equal(made(p=0.5, clean=1.0)(samples), samples)


def test_a_run_adapts_it_and_continues_exactly(tmp_path):
    words = (
        *("dataset=ring", "model=mlp", "loss=nonsaturating", "augment=diffusion"),
        *("augment.speed=256", "augment.interval=1", "augment.initial=0.5"),
    )
    whole = trained(small(*words, "steps=8"), tmp_path / "whole")
    trained(small(*words, "steps=4", "every.checkpoint=4"), tmp_path / "halves")
    halves = trained(small(*words, "steps=8"), tmp_path / "halves")
    left, right = tensors_of(whole), tensors_of(halves)
    assert all(torch.equal(value, right[name]) for name, value in left.items())
    p = whole.game.augment.probability
    assert p.item() != 0.5
    assert torch.equal(p, halves.game.augment.probability)


def test_a_shortest_diffusion_above_the_longest_is_refused():
    with pytest.raises(ConfigError, match="shortest: 20 is above longest=10"):
        made(shortest=20, longest=10)
