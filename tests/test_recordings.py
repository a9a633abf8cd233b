"""Health agrees with the eye: recorded runs, each with the verdict that its pictures give.

scripts/record_health.py records a run; `seen` in a recording says what its sample grids show.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gan_cli.health.findings import FindingTracker

DATA = Path(__file__).parent / "data" / "health"
SCRIPT = Path(__file__).parents[1] / "scripts" / "record_health.py"
FINDINGS = {  # what may be found in a run that looks like this; one of them must be
    "collapsed": {"generator_collapsed"},
    "diverged": {"diverged", "diverging"},
    "not_learning": {"learning_nothing"},
    "won": {"discriminator_won", "discriminator_ahead"},
    "memorising": {"memorising"},
}
RECORDINGS = sorted(DATA.glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def replayed(recording: dict[str, Any]) -> FindingTracker:
    tracker, signals = FindingTracker(), recording["signals"]
    for i, step in enumerate(recording["steps"]):
        reading = {name: values[i] for name, values in signals.items() if values[i] is not None}
        tracker.update(step, reading)
    return tracker


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_verdict_is_what_the_pictures_show(path):
    recording = read(path)
    tracker = replayed(recording)
    verdict, active = tracker.verdict(), {f.name for f in tracker.findings if f.active}
    looks = recording["verdict"]
    if looks in FINDINGS:
        assert verdict.state == "finding"
        assert active & FINDINGS[looks], active
    else:
        assert verdict.state == {"good": "fine", "too_early": "too_early"}[looks], verdict.text
        assert not tracker.findings  # not even one that has passed


def test_the_recordings_show_every_way_a_run_can_go():
    looks = [read(path)["verdict"] for path in RECORDINGS]
    assert len(looks) >= 12
    assert set(looks) == {"good", "too_early", *FINDINGS}
    commands = {read(path)["command"] for path in RECORDINGS}
    assert len(commands) == len(looks)


def test_a_good_run_is_not_called_fine_at_its_first_readings():
    for path in RECORDINGS:
        recording = read(path)
        few = {**recording, "steps": recording["steps"][:3]}
        assert replayed(few).verdict().state in ("too_early", "finding"), path.stem


def test_a_run_is_recorded_with_its_command_and_readings(tmp_path):
    run = tmp_path / "mine"
    run.mkdir()
    command = ["x/gan-train", "run=mine", "seed=1", "dataset.path='a/b'"]
    (run / "run.json").write_text(json.dumps({"command": command}))
    lines = [
        {"step": 1, "health/novelty": 1.23456, "generator/adversarial": 1.0},
        {"step": 1, "fid": 3.0},
        {"step": 2, "health/novelty": 2.0, "health/duplicates": 0.5},
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = [str(run), "good", "sharp digits", "--folder", str(tmp_path)]
    subprocess.run([sys.executable, str(SCRIPT), *words], check=True, timeout=60)
    assert read(tmp_path / "mine.json") == {
        "command": "gan-train seed=1 dataset.path=a/b",
        "verdict": "good",
        "seen": "sharp digits",
        "steps": [1, 2],
        "signals": {"duplicates": [None, 0.5], "novelty": [1.23, 2.0]},
    }
