"""Sweeps that write elsewhere, or nothing, leave no folders of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import small, trained

REPORT = "outputs/first/report.html"
QUICK = ("dataset=synthetic", "dataset.count=64", "batch_size=8", "steps=1", "metrics=none")


def run(command: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"gan_cli.{command}", "-m", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def paths(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sweep_that_is_checked_leaves_nothing(home):
    said = run("train", "check=true", *QUICK, "seed=0,1")
    assert said.count("the config is valid") == 2
    assert paths(home) == set()


def test_a_sweep_that_exists_stays_as_it_was(home):
    sweep = home / "outputs/mine"
    (sweep / "seed=0").mkdir(parents=True)
    (sweep / "multirun.yaml").write_text("seed: 0")
    (sweep / "seed=0/run.json").write_text("{}")
    before = paths(home)
    run("train", "check=true", *QUICK, "seed=0,1", "hydra.sweep.dir=outputs/mine")
    assert paths(home) == before
    assert (sweep / "multirun.yaml").read_text() == "seed: 0"


@pytest.mark.parametrize(
    ("command", "words", "written"),
    [
        ("sample", ["seeds=1,2", "format=png"], "generated"),
        ("fid", ["features=random", "count=32,48"], "cards"),
        ("export", ["weights=average,live"], "exported"),
    ],
)
def test_results_are_in_the_folder_of_the_run_alone(command, words, written, home):
    trained(small("model=mlp", "every.checkpoint=2"), home / "outputs/first")
    before = paths(home)
    run(command, "run=first", "device=cpu", *words)
    new = paths(home) - before
    assert new
    assert all(path.startswith((f"outputs/first/{written}", REPORT)) for path in new), new
