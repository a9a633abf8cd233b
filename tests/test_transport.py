"""Optimal transport against brute force, closed forms, scipy and POT."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_cli.data.sets.mixtures import Ring
from gan_cli.metrics.metric import Collected, metrics
from gan_cli.metrics.sliced import sliced_wasserstein, wasserstein_1d
from gan_cli.metrics.transport import distances, linear_programme, masses, plan, wasserstein
from gan_cli.plots.scatter import FAKE, REAL, scatter, transport_plan
from gan_cli.utils.errors import ConfigError


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights(count, seed=0):
    drawn = torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn / drawn.sum()


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


@pytest.mark.parametrize("seed", range(5))
def test_linear_programme_finds_what_brute_force_finds(seed):
    cost = normal(5, 5, seed=seed).abs()
    best = min(sum(cost[i, j] for i, j in enumerate(o)) / 5 for o in permutations(range(5)))
    flow = linear_programme(cost, masses(None, 5), masses(None, 5))
    assert (flow * cost).sum().item() == pytest.approx(best.item(), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(1, 7), (4, 9), (30, 20)])
def test_a_plan_has_the_given_sums(n, m):
    a, b = weights(n), weights(m, seed=1)
    flow = plan(distances(normal(n, 2), normal(m, 2, seed=1)), a, b)
    assert flow.min() >= 0
    torch.testing.assert_close(flow.sum(1), a, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(flow.sum(0), b, rtol=1e-9, atol=1e-12)
    assert (flow > 1e-12).sum() <= n + m - 1  # a vertex of the polytope


def test_two_dirac_masses_of_unlike_weights():
    """0.7 at 0 and 0.3 at 3 onto 0.2 at 0 and 0.8 at 3: half of the mass goes the whole way."""
    x = torch.tensor([[0.0], [3.0]])
    a, b = torch.tensor([0.7, 0.3]), torch.tensor([0.2, 0.8])
    w1, flow = wasserstein(x, x, 1, a, b)
    assert w1 == pytest.approx(0.5 * 3, rel=1e-6)
    assert wasserstein(x, x, 2, a, b)[0] == pytest.approx(math.sqrt(0.5 * 9), rel=1e-6)
    expected = torch.tensor([[0.2, 0.5], [0.0, 0.3]], dtype=torch.float64)
    torch.testing.assert_close(flow, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_programme_is_as_exact_at_every_scale(scale):
    """The solver's tolerances are absolute: unscaled, costs of 1e-6 would all pass for optimal."""
    from scipy.stats import wasserstein_distance

    x, y, a, b = normal(40, 1), normal(25, 1, seed=1), weights(40), weights(25, seed=1)
    expected = wasserstein_distance(x[:, 0], y[:, 0], a, b)
    assert wasserstein(scale * x, scale * y, 1, a, b)[0] == pytest.approx(scale * expected, 1e-7)


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
def test_quantiles_of_unlike_sizes_are_the_linear_programme(n, m, p):
    x, y = normal(n, 3), normal(m, 3, seed=1)
    found = wasserstein_1d(x, y, p)
    for k in range(3):
        exact = wasserstein(x[:, k : k + 1], y[:, k : k + 1], p)[0]
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


POINTS = st.lists(st.tuples(*[st.floats(-10, 10, width=16)] * 2), min_size=1, max_size=6).map(
    lambda rows: torch.tensor(rows, dtype=torch.float64)
)


@settings(max_examples=25, deadline=None)
@given(POINTS, POINTS, POINTS, st.sampled_from([1, 2]))
def test_it_is_a_distance(x, y, z, p):
    def w(a, b):
        return wasserstein(a, b, p)[0]

    near = 1e-3 if p == 2 else 1e-6  # the root of the solver's tolerance
    assert w(x, x) == 0
    assert w(x, y) == pytest.approx(w(y, x), rel=1e-6, abs=near)
    assert w(x, z) <= w(x, y) + w(y, z) + near
    assert w(x, y) >= (x.mean(0) - y.mean(0)).norm().item() - near  # Jensen


def test_weights_that_are_none_are_refused():
    for wrong in ([1.0], [1.0, -1.0], [0.0, 0.0], [math.nan, 1.0]):
        with pytest.raises(ValueError, match="weights of 2 points"):
            masses(torch.tensor(wrong), 2)
    assert masses(torch.tensor([1.0, 3.0]), 2).tolist() == [0.25, 0.75]


def test_values_are_those_of_pot():
    ot = pytest.importorskip("ot")
    x, y, a, b = normal(40, 3), normal(30, 3, seed=1), weights(40), weights(30, seed=1)
    for p in 1, 2:
        cost = ot.dist(x.numpy(), y.numpy(), "euclidean") ** p
        expected = ot.emd2(a.numpy(), b.numpy(), cost) ** (1 / p)
        assert wasserstein(x, y, p, a, b)[0] == pytest.approx(expected, rel=1e-7)
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
        with pytest.raises(ConfigError, match=rf"metrics\.compute\.{name}\.{key}: 0 .*type 1"):
            metrics.build({"name": name, key: 0}, where=f"metrics.compute.{name}")


def near(picture, color, tolerance=40):
    """Pixels of about this color, (rows, columns)."""
    return np.nonzero(np.abs(picture.astype(int) - color).max(2) < tolerance)


def test_scatter_puts_points_where_they_belong():
    real = Ring(modes=4, count=400).tensors()["real"]
    fake = torch.tensor([[0.5, 0.5]]).repeat(20, 1)  # opaque together
    picture = scatter(real, fake)
    assert picture.shape == (512, 512, 3)
    assert picture.dtype == np.uint8
    below = picture.copy()
    below[:34] = 255  # without the legend
    rows, columns = near(below, FAKE)
    assert 300 < columns.mean() < 400  # a quarter right of the middle, and above it
    assert 130 < rows.mean() < 220
    assert len(near(below, REAL)[0]) > 100
    strayed = scatter(real, torch.cat([fake, torch.tensor([[9.0, 9.0], [math.nan, 0.0]])]))
    assert (picture[:34] != strayed[:34]).any()  # the legend says that two are outside
    np.testing.assert_array_equal(picture[34:], strayed[34:])


def test_transport_plan_draws_a_line_for_each_movement():
    real, fake = torch.tensor([[0.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    along = transport_plan(real, fake, torch.eye(2) / 2)
    across = transport_plan(real, fake, torch.eye(2).flip(0) / 2)
    middle = slice(230, 290)
    assert along[middle, middle].min() > 200  # white, and perhaps the grid
    assert across[middle, middle].min() < 160  # two lines cross
