"""Health: signals against other sources, findings on runs made to fail, silence on sound ones."""

import json
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from torch import nn

from gan_cli.checkpoints.files import load, save
from gan_cli.data.kinds import kind_of
from gan_cli.data.sets import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.health import Finding, sample_signals
from gan_cli.health.findings import READINGS, STEPS, FindingTracker
from gan_cli.health.player_signals import player_signals
from gan_cli.losses import losses
from gan_cli.losses.objective import Objective
from gan_cli.networks import networks
from gan_cli.training.run import Run
from gan_cli.utils.errors import StorageError
from gan_cli.utils.images import save_png
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained

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


# ---- What holds on becomes a finding

SOUND = {
    "pair_accuracy": 0.99,
    "logit_gap": 6.0,
    "logit_scale": 3.0,
    "critic_gradient": 10.0,
    "generator_gradient": 20.0,
    "gradient_ratio": 2.0,
    "update_ratio/generator": 0.003,
    "update_ratio/discriminator": 0.002,
    "diversity_pixels": 0.9,
    "diversity_random": 0.85,
    "duplicates": 0.0,
    "novelty": 1.2,
    "separability": 0.8,
}
FAULTS = {
    "generator_collapsed": {"diversity_pixels": 0.1, "diversity_random": 0.2},
    "discriminator_won": {"pair_accuracy": 1.0, "generator_gradient": 0.1},
    "discriminator_too_weak": {"pair_accuracy": 0.5, "separability": 1.0},
    "diverging": {"update_ratio/generator": 0.05},
    "memorising": {"novelty": 0.2},
}


def told(
    watch: FindingTracker, readings: Iterable[dict[str, float]], start: int, every: int = 50
) -> list:
    """(name, step, active) of all findings that appear or pass."""
    changes = []
    for i, reading in enumerate(readings):
        step = start + (i + 1) * every
        changes += [(f.name, step, f.active) for f in watch.update(step, reading)]
    return changes


@pytest.mark.parametrize("name", FAULTS)
def test_a_lasting_fault_is_told_once_and_told_again_when_it_has_passed(name):
    watch, late = (
        FindingTracker(),
        100 if name == "diverging" else 0,
    )  # two readings, of the median of 5
    assert told(watch, [SOUND] * 20, 0) == []
    assert told(watch, [SOUND | FAULTS[name]] * 20, 1000) == [(name, 1050 + late + STEPS, True)]
    assert told(watch, [SOUND] * 20, 2000) == [(name, 2050 + late + STEPS, False)]
    (finding,) = watch.findings
    assert (finding.step, finding.last) == (1050 + late + STEPS, 2000 + late)
    assert set(FAULTS[name]) <= set(finding.numbers)
    assert finding.advice


@pytest.mark.parametrize("name", FAULTS)
def test_noisy_readings_are_no_finding(name):
    noisy = [SOUND, SOUND, SOUND | FAULTS[name]] * 13
    assert told(FindingTracker(), noisy, 2000) == []


def test_few_readings_do_not_suffice_however_many_steps_lie_between():
    watch = FindingTracker()
    wild = SOUND | FAULTS["diverging"]
    assert told(watch, [wild] * (READINGS - 1), 0, every=1000) == []
    assert [change[0] for change in told(watch, [wild], 3000, every=1000)] == ["diverging"]


def test_a_slow_start_is_no_collapse_but_an_endless_one_is():
    alike = SOUND | FAULTS["generator_collapsed"] | {"duplicates": 1.0}
    watch = FindingTracker()
    assert told(watch, [alike] * 19, 0) == []
    assert told(watch, [alike] * 9, 950) == [("generator_collapsed", 1200, True)]


def test_a_few_outputs_over_and_over():
    repeating = SOUND | {"duplicates": 0.9}
    assert told(FindingTracker(), [repeating] * 9, 1000)[0][0] == "generator_collapsed"


def test_logits_that_grow_and_grow():
    sums = [SOUND | {"logit_scale": 0.5 * 1.5**i} for i in range(40)]
    assert told(FindingTracker(), sums, 0)[0][0] == "diverging"
    large = [SOUND | {"logit_scale": 300.0}] * 40  # WGAN's are as large as they like
    assert told(FindingTracker(), large, 0) == []


def test_taking_turns_at_being_ahead():
    swinging = [SOUND | {"pair_accuracy": 0.5 + 0.4 * math.cos(0.7 * i)} for i in range(40)]
    assert told(FindingTracker(), swinging, 0)[0][0] == "oscillating"
    level = [SOUND | {"pair_accuracy": 0.5 + 0.04 * math.cos(i)} for i in range(40)]
    assert told(FindingTracker(), level, 0) == []  # R3GAN converges to one half


def test_a_nonsaturating_generator_hears_a_critic_that_knows_it_all():
    loud = SOUND | {"pair_accuracy": 1.0, "critic_gradient": 0.05, "gradient_ratio": 400.0}
    assert told(FindingTracker(), [loud] * 9, 0)[0][0] == "discriminator_won"


def test_a_game_without_critic_or_samples_is_silent():
    assert told(FindingTracker(), [{}, {"update_ratio/flow": 0.01}] * 20, 0) == []


def test_what_is_told():
    numbers = {"novelty": 0.21234}
    finding = Finding("memorising", 300, 300, True, "it copies", numbers, ["one way", "another"])
    assert finding.message() == (
        "! step 300, memorising: it copies (novelty 0.212)\n   try one way\n    or another"
    )
    finding.active, finding.last = False, 450
    assert finding.message() == "memorising: has passed; last seen at step 450"


@pytest.mark.parametrize("cut", [3, 22, 27])
def test_memory_survives_a_checkpoint(cut, tmp_path):
    series = [SOUND] * 20 + [SOUND | FAULTS["diverging"]] * 10 + [SOUND] * 10
    straight, before, after = FindingTracker(), FindingTracker(), FindingTracker()
    changes = told(straight, series, 0)
    first = told(before, series[:cut], 0)
    save(tmp_path / "state.pt", {"step": 0, "networks": {}, "health": before.state_dict()})
    after.load_state_dict(load(tmp_path / "state.pt")["health"])
    assert first + told(after, series[cut:], 50 * cut) == changes
    assert after.state_dict() == straight.state_dict()


# ---- In a run

TINY = ("health=true", "dataset.size=8", "dataset.channels=1", "model=mlp", "batch_size=8")
WIDTHS = ("model.networks.generator.width=32", "model.networks.discriminator.width=32")


def logged(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_logs_the_signals(tmp_path):
    line = logged(trained(small(*TINY, *WIDTHS), tmp_path).folder)[0]
    for name in (
        *("pair_accuracy", "real_accuracy", "fake_accuracy", "logit_gap", "gradient_ratio"),
        *("update_ratio/generator", "update_ratio/discriminator"),
        *("diversity_pixels", "diversity_random", "duplicates", "novelty", "separability"),
    ):
        assert f"health/{name}" in line


def test_the_update_ratio_is_that_of_one_update(tmp_path):
    """Adam's first update moves every weight by the learning rate."""
    settings = (*TINY, *WIDTHS, "steps=1", "optimizer.lr=1e-3")
    before = Run(small(*settings), tmp_path / "before")
    line = logged(trained(small(*settings), tmp_path / "run").folder)[0]
    for role, network in before.game.networks.items():
        weights = torch.cat([p.detach().flatten() for p in network.parameters()])
        expected = 1e-3 * math.sqrt(len(weights)) / weights.norm().item()
        assert line[f"health/update_ratio/{role}"] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("model", ["mlp", "cgan"])
def test_readings_leave_no_trace_in_the_training(model, tmp_path):
    settings = ("health=true", f"model={model}", "loss=nonsaturating", "steps=6")
    settings += ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
    quiet = tensors_of(trained(small(*settings, "health=false"), tmp_path / "quiet"))
    watched = tensors_of(trained(small(*settings), tmp_path / "watched"))
    assert all(torch.equal(quiet[name], watched[name]) for name in quiet)
    assert not any(key.startswith("health/") for key in logged(tmp_path / "quiet")[0])


def test_a_resumed_run_takes_up_its_readings(tmp_path):
    settings = (*TINY, *WIDTHS, "every.checkpoint=4")
    straight = trained(small(*settings, "steps=8"), tmp_path / "straight")
    trained(small(*settings, "steps=4"), tmp_path / "parts")
    resumed = trained(small(*settings, "steps=8"), tmp_path / "parts")
    assert resumed.health.tracker.state_dict() == straight.health.tracker.state_dict()


def test_a_checkpoint_without_readings_is_none_of_this_format(tmp_path):
    run = trained(small(*TINY, *WIDTHS, "every.checkpoint=2"), tmp_path)
    path = run.checkpoints.path(2)
    save(path, {key: value for key, value in load(path).items() if key != "health"})
    with pytest.raises(StorageError, match=r"does not fit the run \('health'\)"):
        Run(run.config, tmp_path).resume()


# ---- Runs made to fail


@networks.register("one_image")
class OneImage(nn.Module):
    """A generator deaf to its latent."""

    latent_dim, prior = 2, "normal"

    def __init__(self, spec):
        super().__init__()
        self.image = nn.Parameter(0.1 * torch.randn(spec.shape))

    def forward(self, latent, label=None):
        return self.image.tanh().expand(len(latent), *self.image.shape)


def findings(folder: Path, *overrides: str) -> dict[str, dict]:
    """Of a run on tiny images: from its run.json, which says what the run found."""
    run = trained(small(*TINY, *WIDTHS, "every.log=20", *overrides), folder)
    card = folder / "run.json"
    told = json.loads(card.read_text())["findings"] if card.exists() else []
    assert [f["name"] for f in told] == [f["name"] for f in run.health.findings()]
    return {finding["name"]: finding for finding in told}


def test_a_sound_run_is_silent(tmp_path):
    assert findings(tmp_path, "steps=400") == {}


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
def test_a_far_stronger_discriminator(loss, tmp_path):
    stronger = ("discriminator.lr=3e-3", "generator.lr=2e-5")
    wider = ("discriminator.width=128", "generator.width=16")
    found = findings(
        tmp_path,
        f"loss={loss}",
        "steps=600",
        *(f"optimizer.players.{setting}" for setting in stronger),
        *(f"model.networks.{setting}" for setting in wider),
    )
    assert list(found) == ["discriminator_won"]
    assert found["discriminator_won"]["active"]


@pytest.mark.slow
def test_a_discriminator_that_hardly_learns(tmp_path):
    slow = "optimizer.players.discriminator.lr=1e-7"
    assert list(findings(tmp_path, slow, "steps=300")) == ["discriminator_too_weak"]


@pytest.mark.slow
def test_a_generator_of_one_image(tmp_path):
    one = ("~model.networks.generator", "+model.networks.generator={name: one_image}")
    run = trained(small(*TINY, WIDTHS[1], "every.log=50", *one, "steps=1200"), tmp_path)
    (finding,) = run.health.findings()
    assert finding["name"] == "generator_collapsed"
    assert finding["numbers"]["diversity_pixels"] == 0


@pytest.mark.slow
def test_a_learning_rate_a_hundred_times_too_large(tmp_path):
    """On an MLP, whose weights grow with it, it would soon be none."""
    narrow = [f"model.networks.{role}.width=8" for role in ("generator", "discriminator")]
    settings = ("health=true", "model=dcgan", "dataset.size=16", "optimizer.lr=2e-2", "steps=300")
    found = findings(tmp_path, *settings, *narrow)
    assert found["diverging"]["numbers"]["update_ratio/generator"] > 0.02


@pytest.mark.slow
def test_a_critic_without_bound(tmp_path):
    unbounded = ("loss=wgan", "loss.weight_clip=null", "loss.critic_steps=1")
    found = findings(tmp_path, *unbounded, "optimizer.lr=1e-3", "steps=900")
    assert found.keys() >= {"oscillating", "diverging"}


@pytest.mark.slow
def test_a_dozen_images_are_learnt_by_heart(tmp_path):
    """Digits: the made-up stripes lie on a curve, where a distance of zero is nothing special."""
    digits = datasets.build({"name": "mnist_5k", "size": None}, where="dataset")
    for i in range(12):
        image = F.adaptive_avg_pool2d(digits[400 * i]["real"].float(), 14)
        save_png(tmp_path / "images" / f"{i}.png", image.byte().permute(1, 2, 0).numpy())
    config = composed(
        *("run=test", "dataset=folder", f"dataset.path={tmp_path}/images", "dataset.channels=1"),
        *("model=mlp", "batch_size=16", "optimizer.lr=1e-3", "steps=1300", "metrics=none"),
        "every={log: 50, preview: 0, evaluate: 0, checkpoint: 0}",
        *(f"model.networks.{role}.width=64" for role in ("generator", "discriminator")),
        "device=cpu",
    )
    run = trained(validate(config), tmp_path / "run")
    assert [finding["name"] for finding in run.health.findings()] == ["memorising"]
