"""Mode coverage against closed forms."""

import math

import pytest
import torch

from gan_cli.data.ground_truth import Modes
from gan_cli.data.sets.mixtures import Grid, Mixture, Mixture1d, Ring
from gan_cli.metrics.metric import Collected, metrics
from gan_cli.metrics.mode_coverage import reverse_kl
from gan_cli.utils.errors import ConfigError

HIGH_2D = 1 - math.exp(-4.5)  # P(chi-square with 2 degrees of freedom < 3^2)
HIGH_1D = math.erf(3 / math.sqrt(2))


def score(modes, samples, **options):
    metric = metrics.build({"name": "modes", **options}, where="metrics.compute.modes")
    return metric(Collected(1, modes=modes), Collected(len(samples), samples=samples))


@pytest.mark.parametrize(
    ("dataset", "modes", "high"),
    [(Ring, 8, HIGH_2D), (Grid, 25, HIGH_2D), (Mixture1d, 3, HIGH_1D)],
)
def test_a_perfect_generator_reaches_the_ceiling(dataset, modes, high):
    count = 50_000
    found = score(dataset().modes(), dataset(seed=1, count=count).tensors()["real"])
    assert list(found) == ["modes", "high_quality", "reverse_kl"]
    assert found["modes"] == modes
    error = math.sqrt(high * (1 - high) / count)
    assert found["high_quality"] == pytest.approx(high, abs=4 * error)
    assert 0 < found["reverse_kl"] < 3 * (modes - 1) / (2 * count)


@pytest.mark.parametrize(("modes", "count"), [(8, 2500), (25, 2500), (1000, 26_000)])
def test_floor_of_the_kl_is_half_the_modes_over_the_samples(modes, count):
    """2 N KL is about chi-square with K - 1 degrees of freedom (Wilks 1938)."""
    rng = torch.Generator().manual_seed(0)
    p = torch.full((modes,), 1 / modes, dtype=torch.float64)
    drawn = [
        reverse_kl(torch.multinomial(p, count, True, generator=rng).bincount(minlength=modes), p)
        for _ in range(100)
    ]
    floor = (modes - 1) / (2 * count)
    assert sum(drawn) / 100 == pytest.approx(floor, rel=4 * math.sqrt(2 / (modes - 1) / 100) + 0.02)


@pytest.mark.parametrize(
    ("kept", "modes", "expected"),
    [(6, 8, 0.2877), (17, 25, 0.3857), (99, 1000, 2.3126), (150, 1000, 1.8971), (8, 8, 0)],
)
def test_kl_of_missing_modes(kept, modes, expected):
    counts = torch.zeros(modes, dtype=torch.int64)
    counts[:kept] = 10
    p = torch.full((modes,), 1 / modes, dtype=torch.float64)
    assert reverse_kl(counts, p) == pytest.approx(expected, abs=5e-5)


def test_reverse_kl_is_scipys_relative_entropy():
    from scipy.stats import entropy

    p = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    counts = torch.tensor([7, 0, 3])
    assert reverse_kl(counts, p) == pytest.approx(entropy([0.7, 0, 0.3], p.numpy()))


def test_near_is_strictly_within_three_standard_deviations():
    mixture = Mixture(torch.tensor([[0.0], [10.0]]), torch.tensor([1.0, 4.0]))
    samples = torch.tensor([[2.999], [3.0], [-1.0], [-3.001], [math.nan], [21.9]])
    nearest, high = mixture.assign(samples)
    # 3.0 is 3 deviations from the first and 1.75 from the second: the wider one is nearer.
    assert nearest[[0, 1, 2, 3, 5]].tolist() == [1, 1, 0, 0, 1]
    assert high.tolist() == [True, True, True, False, False, True]
    one = Mixture(torch.tensor([[0.0]]), 1.0)
    assert one.assign(torch.tensor([[3.0], [2.9999]]))[1].tolist() == [False, True]


def test_samples_of_low_quality_count_for_no_mode():
    ring = Ring(count=10)
    at = torch.tensor([[1.0, 0.0]]).repeat(6, 1)
    away = torch.tensor([[-0.9, 0.0]]).repeat(2, 1)  # ten deviations inside the opposite mode
    found = score(ring.modes(), torch.cat([at, away]))
    assert found == {"modes": 1, "high_quality": 0.75, "reverse_kl": pytest.approx(math.log(8))}
    nothing = score(ring.modes(), away)
    assert nothing == {"modes": 0, "high_quality": 0, "reverse_kl": math.inf}


def test_a_mode_may_need_more_than_one_sample():
    modes = Modes(torch.ones(3).double() / 3, lambda s: (s[:, 0].long(), s[:, 0] >= 0))
    samples = torch.tensor([[0.0], [0.0], [1.0]])
    assert score(modes, samples)["modes"] == 2
    assert score(modes, samples, least=2)["modes"] == 1
    with pytest.raises(ConfigError, match=r"metrics\.compute\.modes\.least: must be at least 1"):
        score(modes, samples, least=0)
