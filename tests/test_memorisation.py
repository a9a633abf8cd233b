"""Memorisation: its calibration on fresh data, Mann-Whitney's U by scipy, copies and duplicates."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.metrics.memorisation import Memorisation, distance_to_others, probability_of_less
from gan_cli.metrics.metric import Collected, metrics


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def measure(real: Tensor, fake: Tensor, quantile: float = 0.01) -> dict[str, float]:
    metric = Memorisation(quantile=quantile)
    return metric(Collected(len(real), features=real), Collected(len(fake), features=fake))


@pytest.mark.parametrize("size", [2, 20])
def test_fresh_data_score_the_quantile_and_a_half(size: int) -> None:
    runs = [measure(normal(500, size, i), normal(300, size, ~i), 0.05) for i in range(120)]
    for name, expected in (("memorised", 0.05), ("memorised_auc", 0.5)):
        values = np.array([run[name] for run in runs])
        error = values.std() / math.sqrt(len(values))
        assert error < expected / 15
        assert abs(values.mean() - expected) < 3 * error + 1 / 500  # one neighbour more or less


def test_equals_its_definition_by_scipy() -> None:
    real, fake = normal(150, 3, 0), 0.7 * normal(90, 3, 1)
    within = distance.cdist(real.double(), real.double())
    np.fill_diagonal(within, np.inf)
    fresh = within.min(1)
    fakes = distance.cdist(fake.double(), real.double()).min(1)
    values = measure(real, fake, 0.1)
    bar = scipy.stats.mstats.mquantiles(fresh, 0.1, alphap=0, betap=0)[0]
    assert values["memorised"] == pytest.approx((fakes <= bar).mean(), abs=1e-12)
    u = scipy.stats.mannwhitneyu(fresh, fakes).statistic  # pairs of which the fake is nearer
    assert values["memorised_auc"] == pytest.approx(u / (150 * 90), abs=1e-12)


def test_z_score_of_meehan_et_al() -> None:
    """The docstring's formula, against the normal approximation that scipy takes."""
    real, fake = normal(400, 4, 0), 0.9 * normal(300, 4, 1)
    auc = measure(real, fake)["memorised_auc"]
    z = (0.5 - auc) * math.sqrt(12 * 400 * 300 / (400 + 300 + 1))
    fresh = distance_to_others(real)
    fakes = torch.from_numpy(distance.cdist(fake, real).min(1))
    p = scipy.stats.mannwhitneyu(
        fakes, fresh, alternative="less", method="asymptotic", use_continuity=False
    ).pvalue
    assert z == pytest.approx(scipy.stats.norm.ppf(p), abs=0.01)
    assert z < 0  # below zero where data are copied


def test_copies() -> None:
    real = normal(300, 6, 0)
    assert measure(real, real[50:150]) == {"memorised": 1, "memorised_auc": 1}
    near = real[:100] + 1e-3 * normal(100, 6, 1)
    assert measure(real, near) == {"memorised": 1, "memorised_auc": 1}


def test_half_of_the_fakes_are_copies() -> None:
    real = normal(1000, 6, 0)
    values = measure(real, torch.cat([real[:500], normal(500, 6, 1)]))
    assert values["memorised"] == pytest.approx(0.505, abs=0.01)
    assert values["memorised_auc"] == pytest.approx(0.75, abs=0.03)


def test_fakes_unlike_the_data() -> None:
    assert measure(normal(300, 6, 0), normal(300, 6, 1) + 20) == {
        "memorised": 0,
        "memorised_auc": 0,
    }


@pytest.mark.parametrize("copied", [30, 300])
def test_duplicates_within_the_data_do_not_lower_the_bar(copied: int) -> None:
    """A tenth of them, or all of them, twice in the data: near copies are found all the same."""
    once = normal(300, 6, 0)
    real = torch.cat([once, once[:copied]])
    near = once[:100] + 1e-3 * normal(100, 6, 1)
    assert measure(real, near)["memorised"] == 1
    assert measure(real, normal(300, 6, 2))["memorised"] < 0.04
    assert torch.equal(distance_to_others(real)[:300], distance_to_others(once))


def test_the_bar_is_what_a_fresh_sample_passes_with_chance_q() -> None:
    """Of N values it is the (N + 1) q-th smallest: of 1, 1 and 2 at q = 3/4 the third."""
    real, fake = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[4.8], [5.2]])
    assert measure(real, fake, 0.75)["memorised"] == 0.5


def test_few_samples_take_the_least_distance_as_the_bar() -> None:
    real = torch.tensor([[0.0], [1.0], [3.0]])
    assert measure(real, torch.tensor([[0.9], [4.5], [-1.0], [7.0]]))["memorised"] == 0.5


def test_data_of_one_image_alone_have_no_reference() -> None:
    with pytest.raises(ConfigError, match=r"metrics\.compute\.memorisation: all 5 real samples"):
        measure(torch.ones(5, 2), normal(5, 2, 0))


small = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(small, small)
def test_chance_of_less_counts_pairs(a: list[int], b: list[int]) -> None:
    expected = sum((x < y) + (x == y) / 2 for x in a for y in b) / (len(a) * len(b))
    value = probability_of_less(torch.tensor(a).float(), torch.tensor(b).float())
    assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.1])
def test_options(quantile: float) -> None:
    node = {"name": "memorisation", "quantile": quantile}
    with pytest.raises(ConfigError, match=r"metrics\.compute\.memorisation\.quantile: must be"):
        metrics.build(node, where="metrics.compute.memorisation")
