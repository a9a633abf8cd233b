"""The verdict of health: fine, a finding, or too early to judge, and where a user sees it."""

import json

import pytest

import gan_cli
from gan_cli.health.findings import FindingTracker
from gan_cli.health.verdict import Verdict
from gan_cli.training.run import Run
from gan_cli.training.session import end_message, run_training
from gan_cli.utils.errors import NonFiniteError
from tests.health_readings import FAULTS, SOUND, told
from tests.helpers import small, trained

ALIKE = SOUND | {"diversity_pixels": 0.02, "diversity_random": 0.05, "duplicates": 0.92}


def after(*readings: dict[str, float], start: int = 0, every: int = 50) -> Verdict:
    watch = FindingTracker()
    told(watch, readings, start, every)
    return watch.verdict()


def test_without_a_reading_nothing_is_said():
    assert FindingTracker().verdict().state == "too_early"


def test_a_sound_run_is_fine_after_four_readings_over_two_hundred_steps():
    for count in (1, 3, 4):
        verdict = after(*[SOUND] * count)
        assert verdict.state == "too_early"
        assert "step 250" in verdict.text
    assert after(*[SOUND] * 5) == Verdict("fine", "no findings up to step 250")
    rare = after(*[SOUND] * 3, every=500)
    assert (rare.state, "step 2,000" in rare.text) == ("too_early", True)
    assert after(*[SOUND] * 4, every=500).state == "fine"


def test_alike_samples_are_no_good_sign_whenever_they_are_looked_at():
    early = after(*[ALIKE] * 15)
    assert early.state == "too_early"
    for words in ("alike", "0.05 of the data's", "92% near duplicates", "step 1,000"):
        assert words in early.text
    assert after(*[ALIKE] * 40).state == "finding"


def test_samples_far_from_the_data_are_no_good_sign():
    """Diverse noise: no rule holds, yet nothing speaks for the run."""
    noise = SOUND | {"separability": 0.98, "pair_accuracy": 0.995}
    early, late = after(*[noise] * 15), after(*[noise] * 60)
    assert (early.state, "98%" in early.text, "1,000" in early.text) == ("too_early", True, True)
    assert (late.state, "no mistakes" in late.text) == ("too_early", True)
    assert (
        after(*[noise | {"pair_accuracy": 0.9}] * 60).state == "fine"
    )  # which the critic mistakes
    assert after(*[noise | {"separability": 0.8}] * 15).state == "fine"


def test_signs_of_a_finding_are_no_fine_run():
    verdict = after(*[SOUND] * 20, *[SOUND | FAULTS["memorising"]] * 2)
    assert verdict.state == "too_early"
    assert "signs of memorising from step 1,050 on" in verdict.text
    noisy = after(*[SOUND] * 20, SOUND | FAULTS["memorising"])
    assert noisy.state == "fine"  # a single reading is no sign


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_has_passed_is_mentioned(name):
    lasting = [SOUND | FAULTS[name]] * 40
    assert after(*[SOUND] * 20, *lasting).text == name.replace("_", " ")
    verdict = after(*[SOUND] * 20, *lasting, *[SOUND] * 40)
    assert (verdict.state, "1 passed" in verdict.text) == ("fine", True)


def test_what_a_run_cannot_show_is_named():
    unseen = {key: value for key, value in SOUND.items() if key != "copies"}
    verdict = after(*[unseen] * 9)
    assert (verdict.state, "not judged: memorising" in verdict.text) == ("fine", True)
    blind = {"update_ratio/classifier": 0.002, "loss_growth/classifier": 0.5, "least_growth": 0.2}
    verdict = after(*[blind] * 9)
    assert verdict.state == "fine"
    for words in (
        "generator collapsed, memorising (the game learns no samples)",
        "discriminator won",
    ):
        assert words in verdict.text


# ---- Where it is seen


def test_a_run_ends_with_its_verdict(tmp_path):
    run = trained(small("health=true", "steps=2"), tmp_path / "run")
    line = run.health.verdict().message()
    assert line.startswith("health: too early to judge: ")
    assert line in end_message(run).splitlines()


@pytest.mark.parametrize("setting", ["health=false", "every.log=0"])
def test_a_run_without_readings_is_not_monitored(setting, tmp_path):
    run = Run(small("health=true", setting), tmp_path / "run")
    assert run.health.verdict() == Verdict("off", setting)
    assert run.health.verdict().message() == f"health: not monitored: {setting}"


def test_run_json_and_the_report_tell_the_verdict(tmp_path):
    run = run_training(small("health=true", "steps=2", "run=x"), tmp_path / "run", 0.0)
    card = json.loads((tmp_path / "run" / "run.json").read_text())
    assert card["health"] == {"state": "too_early", "text": run.health.verdict().text}
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Too early to judge" in page
    assert "No findings" not in page


def test_a_run_that_ends_in_infinity_has_diverged(tmp_path):
    """An optimizer step of 1e30 overflows float32 in the next product of weights."""
    config = small("health=true", "steps=9", "run=x", "model=mlp", "optimizer.lr=1e30")
    with pytest.raises(NonFiniteError):
        run_training(config, tmp_path / "run", 0.0)
    verdict = json.loads((tmp_path / "run" / "run.json").read_text())["health"]
    assert verdict["state"] == "finding"
    assert verdict["text"].startswith("diverged: step ")


def test_the_python_api_returns_the_verdict(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"steps": 2, "batch_size": 4, "metrics": "none", "run": "x"}
    done = gan_cli.train(
        "model=mlp", "dataset=synthetic", "dataset.size=8", "device=cpu", **settings
    )
    assert done.health.state == "too_early"
    assert done.findings == []


def test_a_resumed_run_keeps_its_verdict(tmp_path):
    watch, resumed = FindingTracker(), FindingTracker()
    told(watch, [SOUND] * 9, 0)
    resumed.load_state_dict(watch.state_dict())
    assert resumed.verdict() == watch.verdict()
    assert resumed.verdict().state == "fine"
