"""KID against torch-fidelity, a loop over pairs and closed forms."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.metrics.kid import KernelDistance, squared_mmd
from gan_cli.metrics.metric import Collected, metrics


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def collected(features: Tensor) -> Collected:
    return Collected(len(features), features=features)


def by_pairs(x: list[list[float]], y: list[list[float]]) -> float:
    """The U-statistic term by term."""

    def kernel(a: list[float], b: list[float]) -> float:
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j)
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j)
    between = sum(kernel(a, b) for a in x for b in y)
    return within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * between / (n * m)


@pytest.mark.parametrize(("n", "m", "size"), [(2, 2, 1), (9, 6, 3), (5, 12, 40)])
def test_every_pair_counts_once(n: int, m: int, size: int) -> None:
    x, y = normal(n, size, 0), 2 * normal(m, size, 1) + 0.5
    assert squared_mmd(x, y) == pytest.approx(by_pairs(x.tolist(), y.tolist()), rel=1e-10)


@pytest.mark.parametrize("size", [8, 200])
def test_agrees_with_torch_fidelity_subset_by_subset(size: int) -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = normal(700, size, 0), 1.2 * normal(500, size, 1) + 0.3
    expected = fidelity.kid_features_to_metric(
        fake.double(), real.double(), kid_subsets=20, kid_subset_size=300, rng_seed=5, verbose=False
    )
    ours = KernelDistance(subsets=20, subset_size=300, seed=5)(collected(real), collected(fake))
    theirs = expected["kernel_inception_distance_mean"], expected["kernel_inception_distance_std"]
    assert (ours["kd"], ours["kd_std"]) == pytest.approx(theirs, rel=1e-9)


def test_closed_form_for_gaussians_on_a_line() -> None:
    """(xy + 1)^3 expands into raw moments: sum over j of C(3, j) (E x^j - E y^j)^2."""
    (m1, s1), (m2, s2) = (0.2, 1.0), (0.7, 1.3)
    first = [m1, m1**2 + s1**2, m1**3 + 3 * m1 * s1**2]
    second = [m2, m2**2 + s2**2, m2**3 + 3 * m2 * s2**2]
    expected = sum(
        math.comb(3, j) * (a - b) ** 2
        for j, (a, b) in enumerate(zip(first, second, strict=True), 1)
    )
    values = np.array(
        [squared_mmd(m1 + s1 * normal(300, 1, i), m2 + s2 * normal(300, 1, ~i)) for i in range(200)]
    )
    error = values.std() / math.sqrt(len(values))
    assert error < expected / 20
    assert abs(values.mean() - expected) < 3 * error


def test_closed_form_for_a_shift_in_many_dimensions() -> None:
    """For N(0, I) against N(m, I), s = x.y of two draws has known moments up to the third.

    With x ~ N(a, I) and y ~ N(b, I) independent in D dimensions and c = a.b: E s = c,
    E s^2 = c^2 + |a|^2 + |b|^2 + D and E s^3 = c^3 + 3 c (|a|^2 + |b|^2 + D + 2).
    """
    size, shift = 10, 1.5

    def expected_kernel(a: float, b: float) -> float:  # a and b along the first axis
        c, spread = a * b, a * a + b * b + size
        s1, s2, s3 = c, c * c + spread, c**3 + 3 * c * (spread + 2)
        return s3 / size**3 + 3 * s2 / size**2 + 3 * s1 / size + 1

    kernels = {pair: expected_kernel(*pair) for pair in product((0, shift), repeat=2)}
    expected = kernels[0, 0] + kernels[shift, shift] - 2 * kernels[0, shift]
    axis = torch.eye(size)[0] * shift
    values = np.array(
        [squared_mmd(normal(300, size, i), normal(300, size, ~i) + axis) for i in range(200)]
    )
    error = values.std() / math.sqrt(len(values))
    assert error < expected / 20
    assert abs(values.mean() - expected) < 3 * error


def test_unbiased_where_the_distributions_are_equal() -> None:
    values = np.array([squared_mmd(normal(50, 4, i), normal(80, 4, ~i)) for i in range(400)])
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(len(values))
    assert (values < 0).any()


def test_large_features_keep_their_digits() -> None:
    """The kernel values are 1e12, and the distance between them is 1e4 or less."""
    x, y = normal(30, 5, 0).double() + 100, normal(30, 5, 1).double() + 100
    assert squared_mmd(x.float(), y.float()) == pytest.approx(
        by_pairs(x.float().tolist(), y.float().tolist()), rel=1e-6
    )


@given(
    n=st.integers(2, 12),
    m=st.integers(2, 12),
    seed=st.integers(0, 2**31),
    scale=st.floats(0.01, 100),
)
@settings(max_examples=30, deadline=None)
def test_symmetric_and_invariant_to_order(n: int, m: int, seed: int, scale: float) -> None:
    x, y = normal(n, 3, seed) * scale, normal(m, 3, seed + 1)
    value = squared_mmd(x, y)
    magnitude = (max(x.square().sum(1).max(), y.square().sum(1).max()).item() / 3 + 1) ** 3
    assert squared_mmd(y, x) == pytest.approx(value, abs=1e-12 * magnitude)
    assert squared_mmd(x.flip(0), y.roll(1, 0)) == pytest.approx(value, abs=1e-12 * magnitude)


def test_whole_sets_have_no_spread() -> None:
    real, fake = normal(64, 4, 0), normal(64, 4, 1)
    values = KernelDistance(subsets=5, subset_size=64)(collected(real), collected(fake))
    assert values["kd"] == pytest.approx(squared_mmd(real, fake), rel=1e-9)
    assert values["kd_std"] < 1e-12


def test_the_seed_determines_the_values_and_leaves_global_generators_alone() -> None:
    real, fake = collected(normal(300, 4, 0)), collected(normal(300, 4, 1))
    before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    values = [KernelDistance(subsets=3, subset_size=50, seed=s)(real, fake) for s in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state(legacy=False)["state"]["key"] == before[1]).all()


def test_options() -> None:
    assert (
        metrics.build({"name": "kd", "subset_size": 20}, where="metrics.compute.kd").minimum == 20
    )
    with pytest.raises(ConfigError, match=r"metrics\.compute\.kd\.subset_size: must be at least 2"):
        metrics.build({"name": "kd", "subset_size": 1}, where="metrics.compute.kd")
    with pytest.raises(ConfigError, match=r"kd\.seed"):
        metrics.build({"name": "kd", "seed": -1}, where="metrics.compute.kd")
