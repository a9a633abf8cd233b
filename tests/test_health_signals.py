"""Signals of health, against other sources."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from gan_cli.data.kinds import kind_of
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.health import sample_signals
from gan_cli.health.player_signals import growth_signals, player_signals, start_scales
from gan_cli.losses import losses
from gan_cli.losses.objective import Objective
from gan_cli.training.run import Run
from tests.helpers import small

# ---- Accuracy under every loss


def looks_real(name: str, logit: float, **options: float) -> bool | None:
    decide = Objective(losses.build({"name": name, **options}, where=""), {}).looks_real
    return None if decide is None else bool(decide(torch.tensor([logit])).item())


BOUNDED = sorted(
    {n for n in losses.entries if looks_real(n, 0.0) is not None} - {"hinge", "f_total_variation"}
)


@pytest.mark.parametrize("name", BOUNDED)
def test_the_boundary_is_where_a_critic_of_equal_distributions_ends_up(name):
    """The least of critic(v, v); hinge and total variation are flat there."""
    loss = losses.build({"name": name}, where="")

    def at(v: float) -> float:
        logit = torch.tensor([v], dtype=torch.float64)
        return loss.critic(logit, logit).item()

    boundary = minimize_scalar(at, bounds=(-5, 5), method="bounded", options={"xatol": 1e-9}).x
    assert looks_real(name, boundary + 1e-3)
    assert not looks_real(name, boundary - 1e-3)


@pytest.mark.parametrize("name", ["hinge", "f_total_variation"])
def test_symmetric_losses_part_at_zero(name):
    assert looks_real(name, 1e-3)
    assert not looks_real(name, -1e-3)


def test_other_targets_of_least_squares():
    assert looks_real("least_squares", 0.1, a=-1.0, b=1.0, c=0.0)
    assert looks_real("least_squares", 0.1, a=1.0, b=-1.0, c=0.0) is False


def test_losses_that_only_rank():
    for name in ("wasserstein", "relativistic", "relativistic_average"):
        assert looks_real(name, 0.0) is None


def test_accuracies_of_gaussian_logits():
    """P(X > Y) = Phi(gap / sqrt 2) and P(X > 0) = Phi(mean) for unit variances."""
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 40_000, generator=rng) + torch.tensor([[0.5], [-0.3]])
    seen = Objective(losses.build({"name": "hinge"}, where=""), {}).accuracy(real, fake)
    known = {"pair_accuracy": 0.8 / math.sqrt(2), "real_accuracy": 0.5, "fake_accuracy": 0.3}
    for name, z in known.items():
        assert seen[name].item() == pytest.approx(stats.norm.cdf(z), abs=0.01), name
    area = stats.mannwhitneyu(real[:4000], fake[:4000]).statistic / 4000**2
    assert seen["pair_accuracy"].item() == pytest.approx(area, abs=0.02)


def test_a_critic_that_says_nothing_is_right_half_the_time():
    constant = torch.zeros(8)
    wasserstein = Objective(losses.build({"name": "wasserstein"}, where=""), {})
    assert wasserstein.accuracy(constant, constant) == {"pair_accuracy": torch.tensor(0.5)}


# ---- Distances


POINTS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


def test_spread_and_neighbours_against_scipy():
    points = torch.from_numpy(POINTS)
    assert sample_signals.spread(points).item() == pytest.approx(pdist(POINTS).mean(), rel=1e-5)
    nearest = KDTree(POINTS).query(POINTS, k=2)[0][:, 1]
    np.testing.assert_allclose(sample_signals.nearest(points), nearest, rtol=1e-5)


def test_near_duplicates_keep_their_distance():
    """From inner products in float32 it would be 0 or 0.01."""
    pair = torch.full((30, 50), 100.0)
    pair[1, 0] += 1e-3
    assert sample_signals.distances(pair, pair)[0, 1].item() == pytest.approx(1e-3, rel=0.05)


def test_separability_against_a_tree():
    real, fake = POINTS[:20], POINTS[20:] + 0.7
    both = np.concatenate([real, fake])
    neighbour = KDTree(both).query(both, k=2)[1][:, 1]
    expected = np.mean((neighbour >= 20) == (np.arange(40) >= 20))
    seen = sample_signals.separability(torch.from_numpy(real), torch.from_numpy(fake))
    assert seen.item() == pytest.approx(expected)


def test_separability_of_equal_and_of_far_distributions():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 500, 3, generator=rng)
    assert sample_signals.separability(real, fake).item() == pytest.approx(0.5, abs=0.05)
    assert sample_signals.separability(real, fake + 20).item() == 1


def held_against(*overrides: str) -> tuple[sample_signals.SampleComparison, torch.Tensor]:
    """Signals of a small run's data, and its training images in [-1, 1]."""
    run = Run(small("dataset.count=200", "dataset.size=16", *overrides), Path("unused"))
    real = torch.stack([run.dataset[i]["real"] for i in range(200)]).float() / 127.5 - 1
    return sample_signals.SampleComparison(run.dataset, torch.device("cpu")), real


def test_what_pictures_say_of_copies_repetitions_and_noise():
    data, real = held_against()
    copied = data.signals(real[:64])
    assert copied["novelty"] == 0
    assert copied["duplicates"] == 0
    assert copied["diversity_pixels"] == pytest.approx(1, abs=0.1)
    assert copied["separability"] < 0.5  # where copies of the very batch have their twins in it
    same = data.signals(real[:1].expand(64, -1, -1, -1))
    assert same["diversity_pixels"] == same["diversity_random"] == 0
    natural = 1 - 0.995**63  # of 64 drawn from 200 that have a twin
    assert same["duplicates"] == pytest.approx(1 - natural)
    few = data.signals(real[:4].repeat(16, 1, 1, 1))
    assert few["duplicates"] == pytest.approx(1 - natural)
    assert few["diversity_pixels"] > 0.5  # which diversity alone would not show
    noise = data.signals(torch.rand(64, *real.shape[1:]) * 2 - 1)
    assert noise["novelty"] > 1
    assert noise["separability"] > 0.8


KINDS = {
    "audio": (Field("audio", sample_rate=8000), lambda r: r.integers(-9000, 9000, (200, 1, 400))),
    "tokens": (Field("tokens", vocabulary=tuple("abcdefgh")), lambda r: r.integers(0, 8, (200, 9))),
    "vector": (Field("vector"), lambda r: r.normal(size=(200, 3))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_known_whatever_their_kind(kind):
    field, draw = KINDS[kind]
    own = kind_of(field)
    dtype = {"audio": np.int16, "tokens": np.int64, "vector": np.float32}[kind]
    stored = torch.from_numpy(draw(np.random.default_rng(0)).astype(dtype))
    data = sample_signals.SampleComparison(
        InMemory({"real": stored}, field=field), torch.device("cpu")
    )
    assert tuple(data.spaces) == own.health_features
    space = data.first
    copied = data.signals(own.to_model(stored[:64]))
    assert copied["novelty"] == 0
    assert copied["duplicates"] == 0
    assert copied[f"diversity_{space}"] == pytest.approx(1, abs=0.1)
    same = data.signals(own.to_model(stored[:1].repeat(64, *[1] * (stored.ndim - 1))))
    assert same[f"diversity_{space}"] == 0
    assert same["duplicates"] > 0.7
    fresh = torch.from_numpy(draw(np.random.default_rng(1)).astype(dtype))[:64]
    fair = data.signals(own.to_model(fresh))
    assert fair["novelty"] == pytest.approx(1, abs=0.2)
    assert fair["separability"] == pytest.approx(0.5, abs=0.15)


def test_a_mirrored_copy_is_a_copy():
    data, real = held_against("dataset.hflip=true")
    assert data.signals(real[:64].flip(-1))["novelty"] == 0


# ---- Players


def test_several_critics_and_generators():
    turns = {
        "discriminator": {"real_logits": 2.0, "fake_logits": -1.0, "pair_accuracy": 0.9},
        "critic": {"real_logits": 4.0, "fake_logits": 1.0, "pair_accuracy": 0.7},
        "generator": {"adversarial": 1.0},
        "encoder": {"adversarial": 1.0},
    }
    norms = {"discriminator": 5.0, "critic": 12.0, "generator": 3.0, "encoder": 4.0}
    values = {f"{p}/{k}": v for p, terms in turns.items() for k, v in terms.items()}
    values |= {f"{player}/gradient_norm": norm for player, norm in norms.items()}
    reading = player_signals(values)
    assert reading["pair_accuracy"] == pytest.approx(0.8)
    assert reading["logit_gap"] == 3
    assert reading["gradient_ratio"] == pytest.approx(5 / 13)  # hypot(3, 4) / hypot(5, 12)
    assert "real_accuracy" not in reading  # a loss that only ranks has none


def test_several_critics_of_one_player():
    """Their values are named, as those of CycleGAN's two discriminators."""
    values = {"generators/cycle_source": 1.0, "generators/gradient_norm": 3.0}
    values |= {f"discriminators/target_{k}": v for k, v in
               {"real_logits": 2.0, "fake_logits": -1.0, "pair_accuracy": 0.9}.items()}  # fmt: skip
    values |= {f"discriminators/source_{k}": v for k, v in
               {"real_logits": 4.0, "fake_logits": 1.0, "pair_accuracy": 0.7}.items()}  # fmt: skip
    values["discriminators/gradient_norm"] = 6.0
    reading = player_signals(values)
    assert reading["pair_accuracy"] == pytest.approx(0.8)
    assert reading["logit_gap"] == 3
    assert reading["gradient_ratio"] == pytest.approx(0.5)
    start = start_scales(values, set())
    assert start == {"logits": 4.0}
    later = {**values, "discriminators/source_fake_logits": -36.0}
    assert growth_signals(later, start)["gap_growth"] == pytest.approx(10)


def test_losses_and_logits_grow_from_their_start():
    """The start counts as 1 if it is smaller: untrained networks have logits near zero."""
    first = {
        "generator/adversarial": 0.7,
        "discriminator/adversarial": -4.0,
        "discriminator/real_logits": 0.01,
        "discriminator/fake_logits": -20.0,
        "discriminator/pair_accuracy": 0.5,
    }
    start = start_scales(first, {"generator/adversarial", "discriminator/adversarial"})
    values = {
        "generator/adversarial": -35.0,
        "discriminator/adversarial": 2.0,
        "discriminator/real_logits": -60.0,
        "discriminator/fake_logits": 10.0,
    }
    assert growth_signals(values, start) == {
        "loss_growth/generator": 35.0,
        "loss_growth/discriminator": 0.5,
        "gap_growth": 3.5,
        "least_growth": 0.5,
    }


def test_the_largest_loss_of_a_player_counts():
    start = {"encoder/reconstruction": 1.0, "encoder/adversarial": 10.0}
    values = {"encoder/reconstruction": 7.0, "encoder/adversarial": 20.0}
    assert growth_signals(values, start) == {"loss_growth/encoder": 7.0, "least_growth": 2.0}
