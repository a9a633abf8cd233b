"""The Frechet distance against closed forms, scipy's matrix square root and known bias."""

import math
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gan_cli.evaluation.collect import collect
from gan_cli.evaluation.options import FidOptions
from gan_cli.evaluation.score import score
from gan_cli.metrics import metrics
from gan_cli.metrics.frechet import Moments, frechet_distance, frechet_infinity
from gan_cli.metrics.metric import Collected, Embedded, Need, naming_side
from gan_cli.utils.errors import ConfigError, NonFiniteError


def gaussian(mean: Tensor, covariance: Tensor) -> Moments:
    """The exact moments of a distribution, as if of a sample of 3."""
    return Moments(3, mean.double(), covariance.double() * 2)


def random_covariance(size: int, rank: int, seed: int) -> Tensor:
    factor = torch.randn(
        size, rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return factor @ factor.T


def test_closed_form_of_commuting_covariances() -> None:
    """For diagonal S it is |m1 - m2|^2 + sum (s1 - s2)^2 over standard deviations s."""
    s1, s2 = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, 0.5, 4.0])
    a = gaussian(torch.tensor([1.0, 0.0, 2.0]), s1.square().diag())
    b = gaussian(torch.tensor([0.0, 0.0, 4.0]), s2.square().diag())
    assert frechet_distance(a, b) == pytest.approx(5 + 4 + 2.25 + 16, rel=1e-12)


def test_closed_form_in_two_dimensions() -> None:
    """For 2 x 2 matrices tr (S1 S2)^(1/2) = sqrt(tr S1 S2 + 2 sqrt(det S1 det S2))."""
    first, second = np.array([[2.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.7], [-0.7, 3.0]])
    assert not np.allclose(first @ second, second @ first)
    root = np.sqrt(
        np.trace(first @ second) + 2 * np.sqrt(np.linalg.det(first) * np.linalg.det(second))
    )
    zero = torch.zeros(2)
    distance = frechet_distance(
        gaussian(zero, torch.tensor(first)), gaussian(zero, torch.tensor(second))
    )
    assert distance == pytest.approx(np.trace(first + second) - 2 * root, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scipy(seed: int) -> None:
    first, second = random_covariance(12, 20, seed), random_covariance(12, 20, seed + 100)
    root = scipy.linalg.sqrtm((first @ second).numpy())
    expected = first.trace().item() + second.trace().item() - 2 * np.trace(root).real
    zero = torch.zeros(12)
    assert frechet_distance(gaussian(zero, first), gaussian(zero, second)) == pytest.approx(
        expected, rel=1e-9
    )


def test_rank_deficient_covariances() -> None:
    """With S = F F^T the trace of the root is the nuclear norm of F1^T F2, whatever the rank."""
    first, second = np.random.default_rng(0).normal(size=(2, 64, 8))  # rank 8 in 64 dimensions
    nuclear = np.linalg.svd(first.T @ second, compute_uv=False).sum()
    zero = torch.zeros(64)
    a = gaussian(zero, torch.tensor(first @ first.T))
    b = gaussian(zero, torch.tensor(second @ second.T))
    expected = (first**2).sum() + (second**2).sum() - 2 * nuclear
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_covariance_divides_by_n_minus_1() -> None:
    """Of {-1, 1} against {-2, 2}: (sqrt 8 - sqrt 2)^2 = 2; divided by n it would be 1."""
    a, b = (Moments.of(torch.tensor([[-x], [x]])) for x in (1.0, 2.0))
    assert frechet_distance(a, b) == pytest.approx(2, rel=1e-12)


@pytest.mark.parametrize(("first", "second"), [(8, 12), (8, 40), (40, 12), (40, 50)])
def test_small_samples(first: int, second: int) -> None:
    """Fewer samples than dimensions on none, one or both sides: numpy's nuclear norm and cov."""
    rng = np.random.default_rng(first + second)
    x, y = rng.normal(1, 2, (first, 24)), rng.normal(0, 1, (second, 24))
    a, b = Moments.of(torch.tensor(x)), Moments.of(torch.tensor(y))
    assert (a.thin, b.thin) == (first < 24, second < 24)
    product = (x - x.mean(0)) @ (y - y.mean(0)).T / np.sqrt((first - 1) * (second - 1))
    overlap = np.linalg.svd(product, compute_uv=False).sum()
    traces = np.trace(np.cov(x, rowvar=False)) + np.trace(np.cov(y, rowvar=False))
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + traces - 2 * overlap
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)


@given(
    rank=st.integers(1, 8),
    other=st.integers(1, 8),
    seed=st.integers(0, 2**31),
    scale=st.floats(1e-3, 1e3),
)
@settings(max_examples=30, deadline=None)
def test_is_a_squared_metric(rank: int, other: int, seed: int, scale: float) -> None:
    """Zero at equality, symmetric, scales with the square of the data; also for singular S."""
    a = gaussian(torch.ones(6), random_covariance(6, rank, seed))
    b = gaussian(torch.zeros(6), random_covariance(6, other, seed + 1))
    distance = frechet_distance(a, b)
    size = (a.covariance.trace() + b.covariance.trace()).item() + 6
    assert 0 <= frechet_distance(a, a) < 1e-6 * size
    assert frechet_distance(b, a) == pytest.approx(distance, abs=1e-6 * size)
    scaled = [gaussian(m.mean * scale, m.covariance * scale**2) for m in (a, b)]
    assert frechet_distance(*scaled) == pytest.approx(
        distance * scale**2, abs=1e-6 * size * scale**2
    )


def test_bias_of_a_finite_sample() -> None:
    """E = d/N + d (d + 1)/4N to first order, of N samples of N(0, I) against the exact one."""
    dimensions, count = 64, 5000
    rng = torch.Generator().manual_seed(0)
    exact = gaussian(torch.zeros(dimensions), torch.eye(dimensions))
    samples = [Moments.of(torch.randn(count, dimensions, generator=rng)) for _ in range(8)]
    mean = sum(frechet_distance(sample, exact) for sample in samples) / len(samples)
    first_order = dimensions / count + dimensions * (dimensions + 1) / (4 * count)
    assert mean == pytest.approx(first_order, rel=0.03)  # simulated elsewhere: 0.2233 to 0.2208


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    offset=st.floats(-1e4, 1e4),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=50, deadline=None)
def test_streamed_moments_are_numpys(sizes: list[int], offset: float, seed: int) -> None:
    """However a sample is cut into batches, far from the origin too, and while it is thin."""
    rng = np.random.default_rng(seed)
    batches = [rng.normal(offset, 1, (size, 12)) for size in [2, *sizes]]
    streamed = reduce(add, (Moments.of(torch.tensor(batch)) for batch in batches))
    together = np.concatenate(batches)
    assert streamed.count == len(together)
    np.testing.assert_allclose(streamed.mean, together.mean(0), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(streamed.covariance, np.cov(together, rowvar=False), atol=1e-6)
    assert streamed.variance == pytest.approx(np.cov(together, rowvar=False).trace(), rel=1e-6)
    assert len(streamed.spread) <= 12


@given(cut=st.integers(2, 58), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_merging_is_commutative_and_associative(cut: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    first, second, third = (
        Moments.of(part) for part in torch.randn(90, 20, generator=rng).split([cut, 60 - cut, 30])
    )
    sums = [first + second + third, first + (second + third), third + second + first]
    for moments in sums[1:]:
        assert moments.count == sums[0].count
        torch.testing.assert_close(moments.mean, sums[0].mean)
        torch.testing.assert_close(moments.covariance, sums[0].covariance)


@pytest.mark.parametrize("count", [5, 50])
def test_statistics_are_saved_as_in_pytorch_fid(count: int, tmp_path: Path) -> None:
    features = torch.randn(count, 16, generator=torch.Generator().manual_seed(0))
    moments = Moments.of(features)
    np.savez(tmp_path / "ours.npz", **moments.state_dict())
    np.savez(tmp_path / "theirs.npz", mu=features.mean(0), sigma=np.cov(features, rowvar=False))
    ours, theirs = (
        Moments.from_state(np.load(tmp_path / name)) for name in ("ours.npz", "theirs.npz")
    )
    assert (ours.count, theirs.count) == (count, None)
    for loaded in (ours, theirs):
        assert frechet_distance(loaded, moments) == pytest.approx(0, abs=1e-5)
        torch.testing.assert_close(loaded.covariance, moments.covariance, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ({"mu": np.zeros(3)}, "there is no sigma"),
        ({"mu": np.zeros(3), "sigma": np.eye(4)}, r"\(3,\) and \(4, 4\)"),
        ({"mu": np.zeros((3, 1)), "sigma": np.eye(3)}, r"\(3, 1\) and \(3, 3\)"),
        ({"mu": np.zeros(3), "sigma": np.ones(3)}, r"\(3,\) and \(3,\)"),
        ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, "mu is empty"),
        ({"mu": np.array(["a"]), "sigma": np.eye(1)}, "mu must hold real numbers"),
        ({"mu": np.zeros(1), "sigma": np.eye(1) * 1j}, "sigma must hold real numbers"),
        ({"mu": np.zeros(3), "sigma": np.full((3, 3), np.nan)}, "sigma is not finite.* row 0"),
        ({"mu": np.array([0, 0, np.inf]), "sigma": np.eye(3)}, "mu is not finite.* row 2"),
        ({"mu": np.zeros(2), "sigma": np.array([[1, 0.5], [0.4, 1]])}, "not symmetric.* by 0.1$"),
        ({"mu": np.zeros(2), "sigma": np.diag([1, -0.01])}, "least eigenvalue is -0.01$"),
        ({"mu": np.zeros(2), "sigma": np.array([[1, 2.0], [2, 1]])}, "least eigenvalue is -1$"),
        ({"mu": np.zeros(2), "sigma": -np.eye(2)}, "least eigenvalue is -1$"),
        ({"mu": np.zeros(3), "sigma": np.eye(3), "n": 1}, "n is 1"),
    ],
)
def test_unfit_statistics(state: dict[str, np.ndarray], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        Moments.from_state(state)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [0, 1, 20, 64])
def test_statistics_may_be_singular_and_rounded(rank: int, dtype: type) -> None:
    """numpy's covariances of few samples, or of features of which some are always zero."""
    samples = np.zeros((rank + 1, 64))
    samples[:, :40] = 1e3 * np.random.default_rng(rank).normal(size=(rank + 1, 40))
    sigma: Any = np.cov(samples, rowvar=False, ddof=0).astype(dtype)
    sigma += np.float32(1e-7) * np.triu(sigma)  # asymmetric by the rounding of float32
    loaded = Moments.from_state({"mu": samples.mean(0), "sigma": sigma})
    torch.testing.assert_close(loaded.covariance.numpy(), sigma.astype(float), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(loaded.covariance, loaded.covariance.T)


def test_a_distance_between_unequal_dimensions_is_refused() -> None:
    a, b = (gaussian(torch.zeros(n), torch.eye(n)) for n in (3, 4))
    with pytest.raises(ConfigError, match="real features have 3 dimensions and generated ones 4"):
        frechet_distance(a, b)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("count", [6, 40])
def test_a_distance_is_never_made_of_what_is_not_finite(bad: float, count: int) -> None:
    features = torch.randn(count, 8, generator=torch.Generator().manual_seed(0))
    sound, broken = Moments.of(features), Moments.of(features.index_fill(0, torch.tensor(3), bad))
    with pytest.raises(NonFiniteError, match="real features"):
        frechet_distance(broken, sound)
    with pytest.raises(NonFiniteError, match="generated features"):
        frechet_distance(sound, broken)
    with pytest.raises(NonFiniteError, match="generated features"):
        frechet_distance(sound, sound + broken)


def test_a_distance_that_overflows_is_refused() -> None:
    huge = Moments(3, torch.full((2,), 1e200, dtype=torch.float64), torch.eye(2).double())
    with pytest.raises(NonFiniteError, match="overflows"):
        frechet_distance(huge, gaussian(torch.zeros(2), torch.eye(2)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["kd", "prdc", "memorisation", "fd_infinity"])
def test_no_metric_is_made_of_features_that_are_not_finite(name: str, bad: float) -> None:
    options = {"subset_size": 50} if name == "kd" else {}
    metric = metrics.build({"name": name, **options}, where="metrics.compute.x")
    rng = torch.Generator().manual_seed(0)
    sides = [torch.randn(200, 4, generator=rng) for _ in range(2)]
    for broken in range(2):
        features = [side.clone() for side in sides]
        features[broken][:, 2] = bad
        with pytest.raises(NonFiniteError):
            metric(*(Collected(200, Moments.of(side), side) for side in features))


class Overflowing:
    """Features that overflow float32 at sample 300, which is in the second batch."""

    name = "overflowing"
    kinds: ClassVar[frozenset[str]] = frozenset({"vector"})
    classifies: ClassVar[bool] = False

    def __call__(self, samples: Tensor) -> Embedded:
        features = samples.double()
        return Embedded(torch.where(features == 300, features * 1e40, features))

    def describe(self) -> dict[str, Any]:
        return {}


def batches(samples: Tensor) -> list[tuple[Tensor, None]]:
    return [(part, None) for part in samples.split(250)]


@pytest.mark.parametrize("needs", [{"moments"}, {"features"}, {"samples", "moments"}])
def test_what_is_collected_names_the_first_row_that_is_not_finite(needs: set[Need]) -> None:
    wanted, cpu = frozenset(needs), torch.device("cpu")
    samples = torch.arange(400.0)[:, None].expand(400, 2).clone()
    with (
        pytest.raises(NonFiniteError, match=r"generated features .* row 300"),
        naming_side("generated"),
    ):
        collect(batches(samples), Overflowing(), wanted, cpu)
    samples[[275, 290], 1] = math.nan
    with pytest.raises(NonFiniteError, match=r"real samples .* row 275"), naming_side("real"):
        collect(batches(samples), Overflowing(), wanted, cpu)
    with pytest.raises(NonFiniteError, match="row 275"):
        collect(batches(samples), None, frozenset[Need](), cpu)


@pytest.mark.parametrize("side", ["real", "fake"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_file_of_samples_that_are_not_finite_is_refused(
    side: str, bad: float, tmp_path: Path
) -> None:
    samples = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    np.savez(tmp_path / "sound.npz", samples=samples)
    samples[260, 1] = bad
    np.savez(tmp_path / "broken.npz", samples=samples)
    files: dict[str, Any] = {key: str(tmp_path / "sound.npz") for key in ("real", "fake")}
    files[side] = str(tmp_path / "broken.npz")
    metric: Any = {"compute": {"fd": {}}, "features": "identity", "count": None, "real_count": None}
    told = {"real": "real samples", "fake": "generated samples"}[side]
    with pytest.raises(NonFiniteError, match=f"metrics: {told} are not finite, first in row 260"):
        score(FidOptions(**files, metrics=metric, output=str(tmp_path / "card.json")), None)


def test_frechet_infinity() -> None:
    """Of a Gaussian shifted by 0.1 in 64 dimensions: 0.64, where 2,000 samples say 1.2."""
    exact = gaussian(torch.zeros(64), torch.eye(64))
    rng = torch.Generator().manual_seed(0)
    samples = [torch.randn(2000, 64, generator=rng) + 0.1 for _ in range(6)]
    plain = sum(frechet_distance(exact, Moments.of(sample)) for sample in samples) / 6
    unbiased = sum(frechet_infinity(exact, sample) for sample in samples) / 6
    assert plain == pytest.approx(0.64 + 64 / 2000 + 64 * 65 / 8000, rel=0.05)
    assert unbiased == pytest.approx(0.64, abs=0.06)  # three standard errors
    assert frechet_infinity(exact, samples[0]) == frechet_infinity(exact, samples[0])
