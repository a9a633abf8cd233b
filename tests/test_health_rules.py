"""What holds on becomes a finding: the rules of health, on made-up readings."""

import math

import numpy as np
import pytest

from gan_cli.checkpoints.files import load, save
from gan_cli.health import Finding
from gan_cli.health.findings import READINGS, FindingTracker
from gan_cli.health.rules import RULES
from tests.health_readings import FAULTS, SOUND, told


@pytest.mark.parametrize("name", FAULTS)
def test_a_lasting_fault_is_told_once_and_told_again_when_it_has_passed(name):
    watch, since = FindingTracker(), 1050
    since += 100 if name == "diverging" else 0  # two readings, of the median of 5
    lasting = max(next(rule.steps for rule in RULES if rule.name == name), (READINGS - 1) * 50)
    assert told(watch, [SOUND] * 20, 0) == []
    assert told(watch, [SOUND | FAULTS[name]] * 30, 1000) == [(name, since + lasting, True)]
    assert told(watch, [SOUND] * 30, 2500) == [(name, 2550 + lasting, False)]
    (finding,) = watch.findings
    assert (finding.step, finding.last) == (since + lasting, 2500)
    assert set(FAULTS[name]) <= set(finding.numbers)
    assert finding.advice


@pytest.mark.parametrize("name", FAULTS)
def test_noisy_readings_are_no_finding(name):
    noisy = [SOUND, SOUND, SOUND | FAULTS[name]] * 13
    assert told(FindingTracker(), noisy, 2000) == []


def test_few_readings_do_not_suffice_however_many_steps_lie_between():
    watch = FindingTracker()
    weak = SOUND | FAULTS["discriminator_too_weak"]
    assert told(watch, [weak] * (READINGS - 1), 0, every=1000) == []
    changes = told(watch, [weak], 3000, every=1000)
    assert [change[0] for change in changes] == ["discriminator_too_weak"]


def test_what_has_exploded_is_told_however_few_steps_lie_between_the_readings():
    numbers = {"loss_growth/generator": 1e15, "gap_growth": 1e15, "diversity_pixels": 0.0}
    exploded = SOUND | numbers | {"diversity_random": 0.0, "separability": 1.0}
    changes = told(FindingTracker(), [exploded] * 20, 0, every=1)
    assert changes == [("diverged", READINGS, True)]


def test_a_slow_start_is_no_collapse_but_an_endless_one_is():
    alike = SOUND | FAULTS["generator_collapsed"] | {"duplicates": 1.0}
    watch = FindingTracker()
    assert told(watch, [alike] * 19, 0) == []
    assert watch.verdict().state == "too_early"
    assert "1,000" in watch.verdict().text
    assert told(watch, [alike] * 9, 950) == [("generator_collapsed", 1200, True)]


def test_a_few_outputs_over_and_over():
    repeating = SOUND | {"duplicates": 0.9}
    assert told(FindingTracker(), [repeating] * 9, 1000)[0][0] == "generator_collapsed"


def test_logits_that_grow_and_grow():
    sums = [SOUND | {"gap_growth": 0.5 * 1.5**i} for i in range(40)]
    assert told(FindingTracker(), sums, 0)[0][0] == "diverging"
    large = [SOUND | {"gap_growth": 300.0}] * 40  # WGAN's are as large as they like
    assert told(FindingTracker(), large, 0) == []


def test_large_updates_are_no_fault_while_samples_improve():
    """Adam with lr=0.05 on networks with norm layers, which do not feel the scale of weights."""
    large = SOUND | {"update_ratio/generator": 0.05, "update_ratio/discriminator": 0.06}
    near = [large | {"separability": 0.9 - 0.01 * i} for i in range(20)]
    assert told(FindingTracker(), near, 0) == []
    nearer = [large | {"separability": 1.0, "novelty": 5 * 0.8**i} for i in range(1, 9)]
    assert told(FindingTracker(), [large | {"separability": 1.0, "novelty": 5.0}, *nearer], 0) == []


def test_a_game_without_samples_diverges_if_its_losses_do_not_fall():
    large = {"update_ratio/encoder": 0.05}
    falling = [large | {"least_growth": 0.9**i} for i in range(1, 20)]
    assert told(FindingTracker(), falling, 0) == []
    rising = [large | {"least_growth": 1.0} for i in range(20)]
    assert [change[0] for change in told(FindingTracker(), rising, 0)] == ["diverging"]


def test_a_game_without_samples_whose_losses_stay_above_their_start_learns_nothing():
    """A classifier killed by its first updates: losses at four times those of guessing."""
    dead = {"update_ratio/classifier": 0.002, "least_growth": 4.0, "loss_growth/classifier": 5.0}
    assert told(FindingTracker(), [dead] * 9, 0) == [("learning_nothing", 250, True)]
    confused = dead | {"least_growth": 0.1}  # one loss has fallen, the adversarial one has grown
    assert told(FindingTracker(), [confused] * 9, 0) == []
    assert told(FindingTracker(), [SOUND | {"least_growth": 4.0}] * 9, 0) == []  # judged by samples


def test_modes_that_are_missing():
    """Sharp samples of half of the modes; blurred ones between the modes are no collapse."""
    sharp = SOUND | {"missed": 0.5, "stray": 0.0}
    assert told(FindingTracker(), [sharp] * 9, 1000)[0][0] == "generator_collapsed"
    assert told(FindingTracker(), [sharp | {"stray": 0.9}] * 20, 1000) == []


def test_diversity_of_noise_is_nothing_to_fall_from():
    noise = SOUND | {"diversity_pixels": 2.0, "separability": 1.0}
    ordered = SOUND | {"diversity_pixels": 0.4, "diversity_random": 0.4, "separability": 0.9}
    assert told(FindingTracker(), [noise] * 5 + [ordered] * 10, 0) == []
    assert told(FindingTracker(), [SOUND] * 5 + [ordered] * 10, 0)[0][0] == "generator_collapsed"


def test_noise_of_single_batches_is_no_oscillation():
    """Pair accuracies of 16 pairs, read at every step."""
    rng = np.random.default_rng(0)
    noisy = [SOUND | {"pair_accuracy": rng.binomial(16, 0.5) / 16} for _ in range(600)]
    assert told(FindingTracker(), noisy, 1000, every=1) == []


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
