"""Nearest neighbours against brute force, and the four metrics against other implementations."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.metrics.metric import Collected, metrics
from gan_cli.metrics.prdc import PrecisionRecall, nearest, squared_radii
from gan_cli.utils.errors import NonFiniteError


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def prdc(real: Tensor, fake: Tensor, manifold_k: int = 3, density_k: int = 5) -> dict[str, float]:
    metric = PrecisionRecall(k_precision_recall=manifold_k, k_density_coverage=density_k)
    return metric(Collected(len(real), features=real), Collected(len(fake), features=fake))


def by_definition(real: Tensor, fake: Tensor, manifold_k: int, density_k: int) -> dict[str, float]:
    """The metrics by loops over SciPy's distances.

    Precision and recall use closed balls, density and coverage open ones.
    """

    def radius(within: np.ndarray, row: int, k: int) -> float:
        return sorted(np.delete(within[row], row))[k - 1]

    r, f = real.double().numpy(), fake.double().numpy()
    rr, ff, rf = (distance.cdist(a, b) for a, b in ((r, r), (f, f), (r, f)))
    n, m = rf.shape
    reals = [radius(rr, i, manifold_k) for i in range(n)]
    fakes = [radius(ff, j, manifold_k) for j in range(m)]
    dense = [radius(rr, i, density_k) for i in range(n)]
    return {
        "coverage": np.mean([any(rf[i, j] < dense[i] for j in range(m)) for i in range(n)]),
        "density": sum(rf[i, j] < dense[i] for i in range(n) for j in range(m)) / (density_k * m),
        "precision": np.mean([any(rf[i, j] <= reals[i] for i in range(n)) for j in range(m)]),
        "recall": np.mean([any(rf[i, j] <= fakes[j] for j in range(m)) for i in range(n)]),
    }


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("cells", [1, 100, 2**22])
def test_nearest_agrees_with_scipy(
    monkeypatch: pytest.MonkeyPatch, cells: int, offset: float
) -> None:
    monkeypatch.setattr("gan_cli.metrics.prdc.CELLS", cells)
    a, b = normal(37, 6, 0) + offset, normal(23, 6, 1) + offset
    expected = distance.cdist(a.double(), b.double())
    distances, indices = nearest(a, b)
    assert indices.tolist() == expected.argmin(1).tolist()
    assert distances.numpy() == pytest.approx(expected.min(1), rel=1e-6)


@pytest.mark.parametrize("size", [2, 64, 2048])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_copies_are_at_zero_and_near_copies_are_not(size: int, offset: float) -> None:
    """Products in float32 would put both at about 1e-3 of a vector's length."""
    b = normal(50, size, 0) + offset
    distances, indices = nearest(b.flip(0), b)
    assert distances.tolist() == [0.0] * 50
    assert indices.tolist() == list(range(49, -1, -1))

    near = b + max(1e-4, 1e-6 * offset) * normal(50, size, 1)
    expected = (near.double() - b.double()).norm(dim=1)
    assert nearest(near, b)[0].numpy() == pytest.approx(expected.numpy(), rel=1e-5)


def test_a_shift_of_a_millionth_of_the_spread_is_resolved() -> None:
    b = normal(200, 2, 0)
    a = b.clone()
    a[:, 0] += 1e-6
    expected = (a.double() - b.double()).norm(dim=1)
    assert nearest(a, b)[0].numpy() == pytest.approx(expected.numpy(), rel=0.02)


def test_radii_count_other_rows_and_copies_among_them() -> None:
    x = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    assert squared_radii(x, 3).tolist() == [[0, 1, 9], [0, 1, 9], [1, 1, 4], [4, 9, 9]]


def test_arguments_stay_as_they_are() -> None:
    a, b = normal(5, 3, 0).double(), normal(5, 3, 1).double()
    kept = a.clone(), b.clone()
    nearest(a, b)
    assert torch.equal(a, kept[0])
    assert torch.equal(b, kept[1])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_distances_that_are_not_finite_are_refused(value: float) -> None:
    a = torch.tensor([[0.0, value]])
    for pair in (a, normal(4, 2, 0)), (normal(4, 2, 0), a):
        with pytest.raises(NonFiniteError, match=r"metrics: distances .* are not finite"):
            nearest(*pair)


@pytest.mark.parametrize(
    ("k", "expected"),
    [(1, (0.8, 0.8, 1.4, 1)), (2, (0.8, 1, 0.8, 1)), (3, (0.8, 1, 14 / 15, 1))],
)
def test_on_a_line(k: int, expected: tuple[float, ...]) -> None:
    """Values computed by the authors' package `prdc`; open and closed balls agree here."""
    real = torch.tensor([0.0, 1, 2, 3, 10])[:, None]
    fake = torch.tensor([0.5, 0.6, 2.5, 9, 30])[:, None]
    values = prdc(real, fake, k, k)
    names = ("precision", "recall", "density", "coverage")
    assert [values[name] for name in names] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_precision_and_recall_agree_with_torch_fidelity(k: int) -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = normal(300, 5, 0), 0.8 * normal(250, 5, 1) + 0.4
    precision, recall = fidelity.calculate_precision_recall_full(fake.double(), real.double(), k)
    values = prdc(real, fake, k)
    assert (values["precision"], values["recall"]) == pytest.approx((precision, recall), abs=1e-6)
    assert 0 < recall < precision < 1


@given(
    n=st.integers(6, 15),
    m=st.integers(6, 15),
    size=st.integers(1, 3),
    levels=st.integers(1, 6),
    manifold_k=st.integers(1, 5),
    density_k=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_agrees_with_the_definition_ties_and_copies_included(
    n: int, m: int, size: int, levels: int, manifold_k: int, density_k: int, seed: int
) -> None:
    """On a lattice, where distances tie exactly and many points are copies."""
    rng = torch.Generator().manual_seed(seed)
    real, fake = (
        torch.randint(levels, (count, size), generator=rng).float() + 7 for count in (n, m)
    )
    assert prdc(real, fake, manifold_k, density_k) == pytest.approx(
        by_definition(real, fake, manifold_k, density_k), abs=1e-12
    )


def average(sample: Callable[[int], tuple[Tensor, Tensor]], runs: int) -> dict[str, np.ndarray]:
    rows = [prdc(*sample(i)) for i in range(runs)]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.parametrize(("n", "m"), [(60, 60), (60, 25)])
def test_expectations_for_equal_distributions(n: int, m: int) -> None:
    """A real sample is uncovered if its k nearest of N - 1 real and M fake samples are all real.

    A fake lies in each of the N balls with probability k / N, so the expected density is 1.
    """
    k = 5
    uncovered = math.prod((n - 1 - i) / (n - 1 + m - i) for i in range(k))
    values = average(lambda i: (normal(n, 3, i), normal(m, 3, ~i)), 400)
    for name, expected in (("coverage", 1 - uncovered), ("density", 1.0)):
        error = values[name].std() / math.sqrt(400)
        assert error < 0.01
        assert abs(values[name].mean() - expected) < 3 * error


def test_coverage_of_many_fresh_samples() -> None:
    """Coverage tends to 1 - 2^-5; its standard deviation at 3,000 samples is about 0.004."""
    values = prdc(normal(3000, 4, 0), normal(3000, 4, 1))
    assert values["coverage"] == pytest.approx(0.96875, abs=0.012)
    assert values["density"] == pytest.approx(1, abs=0.05)


def test_copies_of_the_data() -> None:
    """All are covered; an open ball holds its centre and k - 1 others, the k-th is on its edge."""
    real = normal(200, 8, 0)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    assert prdc(real, real[order]) == {
        "coverage": 1,
        "density": 1,
        "precision": 1,
        "recall": 1,
    }


def test_collapse_keeps_precision_and_loses_the_rest() -> None:
    """A case from torch-fidelity's tests: a narrow Gaussian at the centre of a wide one."""
    real = 3 * normal(200, 16, 0)
    values = prdc(real, 0.1 * normal(200, 16, 1))
    assert values["precision"] > 0.8
    assert values["recall"] < 0.3
    assert values["density"] > 1
    assert values["coverage"] < 0.6 < 0.9 < prdc(real, 3 * normal(200, 16, 2))["coverage"]


def test_lost_modes_cost_recall_and_coverage_their_share() -> None:
    """The generator covers 3 of 4 distant modes."""
    centres = 100 * torch.eye(4)
    real, fake = normal(800, 4, 0), normal(600, 4, 1)
    values = prdc(real + centres.repeat(200, 1), fake + centres[:3].repeat(200, 1))
    fresh = prdc(real, fake)
    assert values["recall"] == pytest.approx(0.75, abs=0.05)
    assert values["coverage"] == pytest.approx(0.75 * 0.96875, abs=0.03)
    assert values["precision"] == pytest.approx(fresh["precision"], abs=0.1)


def test_outliers_raise_recall_but_not_coverage() -> None:
    """Outliers make large balls around fakes (Naeem et al. 2020)."""
    real = normal(300, 2, 0)
    fake = 0.05 * normal(300, 2, 1)
    scattered = fake.clone()
    scattered[:8] = 1e3 * normal(8, 2, 2)
    assert prdc(real, fake)["recall"] < 0.1
    assert prdc(real, scattered)["recall"] > 0.7
    assert prdc(real, scattered)["coverage"] == pytest.approx(
        prdc(real, fake)["coverage"], abs=0.02
    )


def test_precision_of_one_is_recall_of_the_other() -> None:
    real, fake = normal(80, 3, 0), normal(70, 3, 1) + 1
    assert prdc(real, fake)["precision"] == prdc(fake, real)["recall"]


def test_options() -> None:
    node = {"name": "prdc", "k_density_coverage": 9}
    assert metrics.build(node, where="metrics.compute.prdc").minimum == 10
    with pytest.raises(ConfigError, match=r"metrics\.compute\.prdc\.k_precision_recall: must be"):
        metrics.build({"name": "prdc", "k_precision_recall": 0}, where="metrics.compute.prdc")


def test_fewest_samples() -> None:
    metric = PrecisionRecall()
    fewest = Collected(metric.minimum, features=normal(metric.minimum, 2, 0))
    assert metric(fewest, fewest)["coverage"] == 1
