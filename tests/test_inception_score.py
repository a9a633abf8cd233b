"""The Inception Score against torch-fidelity, closed forms and its bounds."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.metrics.inception_score import InceptionScore, inception_score
from gan_cli.metrics.metric import Collected, metrics


def random_logits(count: int, classes: int, seed: int, scale: float = 3) -> Tensor:
    return scale * torch.randn(count, classes, generator=torch.Generator().manual_seed(seed))


def score(logits: Tensor, **options: int) -> dict[str, float]:
    side = Collected(len(logits), logits=logits)
    return InceptionScore(**options)(side, side)


@pytest.mark.parametrize(("count", "splits"), [(500, 10), (507, 10), (100, 1), (33, 7)])
def test_agrees_with_torch_fidelity_split_by_split(count: int, splits: int) -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_isc")
    logits = random_logits(count, 12, 0)
    expected = fidelity.isc_features_to_metric(logits, splits=splits, rng_seed=2020)
    ours = score(logits, splits=splits, seed=2020)
    theirs = expected["inception_score_mean"], expected["inception_score_std"]
    assert (ours["is"], ours["is_std"]) == pytest.approx(theirs, rel=1e-10, abs=1e-12)


def test_two_classes_told_with_odds_of_nine() -> None:
    """exp(log 2 - H(0.9)), H by scipy: 1.444934811."""
    logits = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64).log().repeat(50, 1)
    expected = math.exp(math.log(2) - scipy.stats.entropy([0.9, 0.1]))
    assert expected == pytest.approx(1.444934811, abs=1e-9)
    assert inception_score(logits) == pytest.approx(expected, rel=1e-12)


def test_by_scipy_entropy() -> None:
    logits = random_logits(40, 6, 1)
    p = logits.double().softmax(1).numpy()
    divergences = [scipy.stats.entropy(row, p.mean(0)) for row in p]
    assert inception_score(logits) == pytest.approx(math.exp(np.mean(divergences)), rel=1e-12)


@pytest.mark.parametrize("classes", [2, 10, 1008])
def test_one_sure_sample_a_class_scores_the_number_of_classes(classes: int) -> None:
    assert inception_score(1e4 * torch.eye(classes)) == pytest.approx(classes, rel=1e-9)


def test_classes_that_never_occur_do_not_count() -> None:
    """Logits of -1e4: their probability is zero even in float64."""
    assert inception_score(1e4 * torch.eye(10)[:3]) == pytest.approx(3, rel=1e-9)


def test_collapse_scores_one() -> None:
    logits = random_logits(1, 10, 0).repeat(200, 1)
    assert score(logits) == pytest.approx({"is": 1, "is_std": 0}, abs=1e-12)


@given(
    count=st.integers(1, 30),
    classes=st.integers(1, 8),
    seed=st.integers(0, 2**31),
    scale=st.floats(0, 1e3),
)
@settings(max_examples=50, deadline=None)
def test_between_one_and_what_there_is_to_tell(
    count: int, classes: int, seed: int, scale: float
) -> None:
    value = inception_score(random_logits(count, classes, seed, scale))
    assert 1 - 1e-9 <= value <= min(count, classes) + 1e-9


def test_sorted_by_class_scores_as_shuffled() -> None:
    """Without shuffling every split of a sorted sample holds one class and scores 1."""
    logits = 1e4 * torch.eye(10).repeat_interleave(100, 0)
    assert score(logits)["is"] > 9.5


def test_real_samples_and_global_streams_stay_out() -> None:
    before = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    fake = Collected(60, logits=random_logits(60, 5, 0))
    metric = InceptionScore(splits=3)
    assert metric(Collected(2), fake) == metric(fake, fake)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state(legacy=False)["state"]["key"] == before[1]).all()


def test_options() -> None:
    assert metrics.build({"name": "is", "splits": 5}, where="metrics.compute.is").minimum == 10
    with pytest.raises(ConfigError, match=r"metrics\.compute\.is\.splits: must be at least 1"):
        metrics.build({"name": "is", "splits": 0}, where="metrics.compute.is")
