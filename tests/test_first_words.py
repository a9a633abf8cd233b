"""The first words that somebody types who has not read a page yet."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli.checkpoints.run_list import SHOWN, missing_run, runs_below
from gan_cli.config.command_line import hydra_arguments
from gan_cli.config.meant import COMMANDS
from gan_cli.utils.errors import ConfigError
from tests.fuzz.outcome import Outcome, outcome_of


def faults(line: str, command: str = "train") -> list[str]:
    """What is wrong with the words of a line, [] if nothing is."""
    try:
        hydra_arguments(line.split(), command)
    except ConfigError as error:
        return list(error.faults)
    return []


def run(command: str, *words: str) -> Outcome:
    from importlib import import_module

    return outcome_of(import_module(f"gan_cli.{command}").main, list(words))


def trained(folder: Path, written: float, steps: tuple[int, ...], card: object = None) -> None:
    """What a run leaves behind, as far as a list of runs reads it."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(parents=True)
    for step in steps:
        (checkpoints / f"step-{step:07d}.pt").touch()
        os.utime(checkpoints / f"step-{step:07d}.pt", (written, written))
    if card is not None:
        (folder / "run.json").write_text(card if isinstance(card, str) else json.dumps(card))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["help", "-help", "?", "/?", "usage"])
def test_words_for_help_lead_to_the_help(command, word):
    (line,) = faults(word, command)
    assert line.endswith("did you mean --help?")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["version", "-v", "-V", "-version"])
def test_words_for_the_version_lead_to_it(command, word):
    (line,) = faults(word, command)
    assert line.endswith("did you mean --version?")


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("--data photos", "dataset=folder dataset.path=photos"),
        ("--data=photos", "dataset=folder dataset.path=photos"),
        ("--data mnist", "dataset=mnist"),
        ("--dataset photos", "dataset=folder dataset.path=photos"),
        ("data photos", "dataset=folder dataset.path=photos"),
        ("dataset mnist", "dataset=mnist"),
        ("--model dcgan", "model=dcgan"),
        ("model dcgan", "model=dcgan"),
        ("lr 0.1", "optimizer.lr=0.1"),
        ("epochs 3", "steps=3"),
        ("run first", "run=first"),
        ("--run first", "run=first"),
        ("--run=first", "run=first"),
        ("--resume first", "run=first"),
        ("--gpu 0", "device=cuda"),
        ("device cuda", "device=cuda"),
    ],
)
def test_a_key_and_the_word_behind_it_are_one_setting(line, meant):
    (fault,) = faults(line)
    assert fault.endswith(f"did you mean {meant}?")


def test_each_pair_of_a_line_gets_its_own_advice():
    assert [fault.split("did you mean ")[1] for fault in faults("model dcgan loss hinge")] == [
        "model=dcgan?",
        "loss=hinge?",
    ]
    assert [fault.split("did you mean ")[1] for fault in faults("--model dcgan --loss hinge")] == [
        "model=dcgan?",
        "loss=hinge?",
    ]
    assert [fault.split("; ")[1] for fault in faults("dcgan hinge")] == [
        "did you mean model=dcgan?",
        "did you mean loss=hinge?",
    ]


@pytest.mark.parametrize(
    ("command", "line", "meant"),
    [
        ("sample", "--data photos", "input=photos"),
        ("fid", "--data photos", "real=photos"),
        ("fid", "dataset mnist", "dataset=mnist"),
        ("sample", "count 5", "count=5"),
        ("sample", "--seed 3", "seeds=3"),
        ("export", "run first", "run=first"),
    ],
)
def test_data_of_other_commands_are_their_own_keys(command, line, meant):
    (fault,) = faults(line, command)
    assert fault.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize("command", ["sample", "fid", "export"])
@pytest.mark.parametrize("line", ["--model=dcgan", "--model dcgan", "model dcgan", "model=dcgan"])
def test_settings_of_the_training_are_told_from_those_of_a_command(command, line):
    (fault,) = faults(line, command)
    assert f"is a setting of gan-train, not of gan-{command}" in fault
    assert "type run=NAME" in fault


@pytest.mark.parametrize("command", ["sample", "fid", "export"])
def test_a_command_without_a_run_lists_the_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    best = {"objective": {"name": "fd_random", "value": 12.345678}}
    trained(Path("outputs/old"), 1_000_000_000, (1000, 2000), best)
    trained(Path("outputs/sweeps/s/loss=hinge"), 1_500_000_000, (500,), {"objective": None})
    trained(Path("outputs/my run"), 1_700_000_000, (10,), "no json")
    outcome = run(command)
    assert outcome.status == 2
    first, head, *rows = outcome.err.splitlines()
    assert first.startswith("gan_cli: run: has no value; type run=NAME or checkpoint=PATH")
    assert head.split() == ["checkpoint", "of", "step", "best", "score", "type"]
    assert [row.split(f"gan-{command} ")[1] for row in rows] == [
        "'run=my run'",
        "run=sweeps/s/loss=hinge",
        "run=old",
    ]
    assert "2001-09-0" in rows[2]  # in any time zone
    assert " 2,000 " in rows[2]
    assert "fd_random 12.35" in rows[2]


@pytest.mark.parametrize("command", ["sample", "fid", "export"])
def test_where_nothing_was_trained_a_command_says_how(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run(command)
    (line,) = outcome.err.splitlines()
    assert outcome.status == 2
    assert "type gan-train run=first to train one" in line
    assert f"gan-{command} run=first" in line
    assert list(tmp_path.iterdir()) == []


def test_a_long_list_of_runs_is_cut(tmp_path):
    for i in range(SHOWN + 3):
        trained(tmp_path / f"run{i}", 1_000_000_000 + 100 * i, (1,))
    lines = missing_run(tmp_path, "gan-sample").splitlines()
    assert len(lines) == SHOWN + 3
    assert lines[2].endswith(f"gan-sample run=run{SHOWN + 2}")
    assert lines[-1].strip().startswith("and 3 more below")


def test_folders_that_are_no_runs_are_not_listed(tmp_path):
    (tmp_path / "empty/checkpoints").mkdir(parents=True)
    trained(tmp_path / "copied", 1_000_000_000, ())
    (tmp_path / "copied/checkpoints/best.pt").touch()
    (run,) = runs_below(tmp_path)
    assert (run.name, run.step, run.score) == ("copied", None, "")


def test_the_list_of_runs_does_not_wait_for_pytorch(tmp_path):
    trained(tmp_path / "outputs/old", 1_000_000_000, (1,))
    script = (
        "import sys; from gan_cli.sampling.options import checked_options\n"
        "try: checked_options({})\n"
        "except ValueError as error: print('run=old' in str(error), 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["True", "False"]
