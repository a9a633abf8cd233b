"""Optimal transport against brute force, closed forms, scipy and POT."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_cli.metrics.metric import Collected, metrics
from gan_cli.metrics.sliced import sliced_wasserstein, wasserstein_1d
from gan_cli.metrics.transport import assignment, distances, wasserstein
from gan_cli.utils.errors import ConfigError


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("p", [1, 2])
def test_assignment_is_the_best_of_all_permutations(seed, p):
    x, y = normal(6, 3, seed=seed), normal(6, 3, seed=100 + seed)
    costs = [
        sum(math.dist(x[i].tolist(), y[j].tolist()) ** p for i, j in enumerate(order)) / 6
        for order in permutations(range(6))
    ]
    value, flow = wasserstein(x, y, p)
    assert value == pytest.approx(min(costs) ** (1 / p), rel=1e-12)
    assert sorted(flow.unique().tolist()) == pytest.approx([0, 1 / 6])


def test_a_plan_moves_the_mass_of_every_point():
    flow = assignment(distances(normal(30, 2), normal(30, 2, seed=1)))
    assert flow.min() >= 0
    for dimension in 0, 1:
        torch.testing.assert_close(flow.sum(dimension), torch.full((30,), 1 / 30).double())


def test_one_dimension_is_scipys_wasserstein_distance():
    from scipy.stats import wasserstein_distance

    x, y = normal(200, seed=0), 2 + 3 * normal(200, seed=1)
    expected = wasserstein_distance(x, y)
    assert wasserstein(x[:, None], y[:, None], 1)[0] == pytest.approx(expected, rel=1e-12)
    assert wasserstein_1d(x[:, None], y[:, None], 1).item() == pytest.approx(expected, rel=1e-12)
    expected = wasserstein_distance(x[:70], y)  # of unlike sizes
    assert wasserstein_1d(x[:70, None], y[:, None]).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(4, 6), (7, 5), (1, 3)])
def test_quantiles_of_unlike_sizes_are_an_assignment_of_repeated_points(n, m, p):
    """A point of mass 1 / n is m points of mass 1 / nm."""
    x, y = normal(n, 3), normal(m, 3, seed=1)
    found = wasserstein_1d(x, y, p)
    repeated_x, repeated_y = x.repeat(m, 1), y.repeat(n, 1)
    for k in range(3):
        exact = wasserstein(repeated_x[:, k : k + 1], repeated_y[:, k : k + 1], p)[0]
        assert found[k].item() == pytest.approx(exact, rel=1e-8)


def test_a_shift_moves_every_point_by_it():
    x = normal(300, 4)
    shift = torch.tensor([1.0, -2.0, 0.5, 2.0], dtype=torch.float64)
    length = shift.norm().item()
    for p in 1, 2:
        assert wasserstein(x, x + shift, p)[0] == pytest.approx(length, rel=1e-9)
    sliced = sliced_wasserstein(x, x + shift, 2, projections=4000)
    assert sliced == pytest.approx(length / math.sqrt(4), rel=0.03)


def test_gaussians_of_unlike_widths():
    """W2 of N(0, 1) and N(1, 4) is sqrt(1 + (2 - 1)^2), here through their quantiles."""
    from scipy.stats import norm

    quantiles = torch.from_numpy(norm.ppf((np.arange(20_000) + 0.5) / 20_000))[:, None]
    found = wasserstein_1d(quantiles, 1 + 2 * quantiles, 2).item()
    assert found == pytest.approx(math.sqrt(2), abs=1e-3)


def test_sliced_distance_of_wide_and_narrow_gaussians():
    """Every projection of N(0, s^2 I) is N(0, s^2), so the mean over them is |s - t| too."""
    x, y = normal(20_000, 5), 3 * normal(20_000, 5, seed=1)
    assert sliced_wasserstein(x, y, 2, projections=50) == pytest.approx(2, rel=0.02)


def test_two_samples_of_one_law_are_apart():
    """n a side, even in [0, 1]: E W2^2 = 2/n sum of Var U_(i) = 1 / (3 (n + 1)), exactly."""
    rng = torch.Generator().manual_seed(0)
    x, y = (torch.rand(10, 20_000, generator=rng) for _ in range(2))
    mean = wasserstein_1d(x, y, 2).square().mean().item()
    assert mean == pytest.approx(1 / 33, rel=0.02)


POINTS = st.lists(st.tuples(*[st.floats(-10, 10, width=16)] * 2), min_size=4, max_size=4).map(
    lambda rows: torch.tensor(rows, dtype=torch.float64)
)


@settings(max_examples=25, deadline=None)
@given(POINTS, POINTS, POINTS, st.sampled_from([1, 2]))
def test_it_is_a_distance(x, y, z, p):
    def w(a, b):
        return wasserstein(a, b, p)[0]

    near = 1e-6
    assert w(x, x) == 0
    assert w(x, y) == pytest.approx(w(y, x), rel=1e-6, abs=near)
    assert w(x, z) <= w(x, y) + w(y, z) + near
    assert w(x, y) >= (x.mean(0) - y.mean(0)).norm().item() - near  # Jensen


def test_values_are_those_of_pot():
    ot = pytest.importorskip("ot")
    x, y = normal(40, 3), normal(40, 3, seed=1)
    for p in 1, 2:
        cost = ot.dist(x.numpy(), y.numpy(), "euclidean") ** p
        expected = ot.emd2([], [], cost) ** (1 / p)  # equal masses
        assert wasserstein(x, y, p)[0] == pytest.approx(expected, rel=1e-7)
    sliced = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), n_projections=20_000, seed=0)
    assert sliced_wasserstein(x, y, 2, 20_000) == pytest.approx(sliced, rel=0.02)


def test_metric_transports_equal_counts_of_both_sides():
    metric = metrics.build({"name": "transport", "count": 50}, where="metrics.compute.transport")
    x = normal(80, 3).float()
    real = Collected(80, features=x)
    assert metric(real, real) == {"w1": 0, "w2": 0}
    values = metric(real, Collected(80, features=x + 2))
    assert list(values) == ["w1", "w2"]
    assert values["w1"] == pytest.approx(math.sqrt(12), rel=1e-6)
    assert values["w2"] == pytest.approx(math.sqrt(12), rel=1e-6)
    assert metric.minimum == 50


def test_metric_w2_has_a_plan_of_its_own():
    """On a line, moving 0 and 1 to 1 and 2 costs the same under W1 in either way, not under W2."""
    metric = metrics.build({"name": "transport", "count": 2}, where="metrics.compute.transport")
    real = Collected(2, features=torch.tensor([[0.0], [1.0]]))
    fake = Collected(2, features=torch.tensor([[2.0], [1.0]]))
    assert metric(real, fake) == pytest.approx({"w1": 1.0, "w2": 1.0})


def test_sliced_metric_repeats_and_takes_unlike_counts():
    metric = metrics.build({"name": "sliced"}, where="metrics.compute.sliced")
    real, fake = Collected(90, features=normal(90, 3)), Collected(40, features=normal(40, 3) + 1)
    assert metric(real, fake) == metric(real, fake)
    assert metric(real, real) == {"sliced_w2": 0}
    assert metric(real, fake)["sliced_w2"] == pytest.approx(1, abs=0.3)  # sqrt(3) / sqrt(3)


def test_options_that_make_no_sense_are_told():
    for name, key in (("transport", "count"), ("sliced", "projections")):
        with pytest.raises(ConfigError, match=rf"metrics\.compute\.{name}\.{key}: must be"):
            metrics.build({"name": name, key: 0}, where=f"metrics.compute.{name}")
