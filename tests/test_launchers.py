"""Sweeps by other launchers and sweepers than Hydra's own; their plugins are optional."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from hydra.errors import HydraException

from gan_cli.config.arguments import READY_CONFIGS, hydra_arguments
from gan_cli.config.hydra_errors import message
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.side_files import read_object

pytestmark = pytest.mark.slow
PROC = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
LONG = ("steps=300", "metrics=none", "every.checkpoint=10")
TINY = (
    *("dataset=digits", "dataset.size=16", "batch_size=16", "metrics.count=64", "logger=none"),
    *("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
    *("device=cpu", "device.threads=1", "every.preview=0", "score_scale=false", "health=false"),
)


def needs(package: str) -> pytest.MarkDecorator:
    try:
        missing = find_spec(package) is None
    except ModuleNotFoundError:  # of a package above it
        missing = True
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "gan_cli.train", "-m", *TINY, *words]


def sweep(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=folder, capture_output=True, text=True, timeout=600)


def card(folder: Path) -> dict:
    return read_object(folder / "run.json") or {}


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def holder(run: Path) -> int:
    """The process that trains a run, which has its lock open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.resolve() == (run / ".lock").resolve():
                return int(link.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nobody trains {run}")


def logs(folder: Path) -> str:
    """What the jobs of submitit have printed."""
    return "".join(path.read_text() for path in folder.glob("outputs/s/.submitit/*/*log.*"))


@needs("submitit")
@PROC
def test_a_killed_job_goes_on_and_a_finished_one_is_done_already(tmp_path):
    words = ("hydra/launcher=local", "seed=0,1", "hydra.sweep.dir=outputs/s", *LONG)
    with subprocess.Popen(
        command(*words), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        killed, other = (tmp_path / f"outputs/s/seed={seed}" for seed in (1, 0))
        wait_for(lambda: any(killed.glob("checkpoints/step-*.pt")))
        os.kill(holder(killed), signal.SIGKILL)
        process.communicate(timeout=600)
    assert process.returncode != 0
    wait_for(lambda: card(other).get("status") == "finished")
    assert card(killed)["status"] != "finished"
    again = sweep(tmp_path, *words)
    assert again.returncode == 0, again.stderr
    assert card(killed)["status"] == "finished"
    assert "seed=0 is done already" in logs(tmp_path)
    assert "seed=1 resumes at step" in logs(tmp_path)


@needs("submitit")
@PROC
def test_a_preempted_job_saves_is_requeued_and_goes_on(tmp_path):
    words = ("hydra/launcher=local", "seed=0", "hydra.sweep.dir=outputs/s", *LONG)
    with subprocess.Popen(
        command(*words), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        run = tmp_path / "outputs/s/dcgan-nonsaturating"
        wait_for(lambda: any(run.glob("checkpoints/step-*.pt")))
        os.kill(holder(run), signal.SIGUSR2)  # as submitit does before the time limit
        process.communicate(timeout=600)
    assert process.returncode == 0
    assert card(run)["status"] == "finished"
    assert "Requeued job" in logs(tmp_path)
    assert "resumes at step" in logs(tmp_path)


@needs("joblib")
@needs("hydra_plugins.hydra_joblib_launcher")
def test_two_jobs_at_the_same_time(tmp_path):
    words = ("hydra/launcher=joblib", "seed=0,1", "hydra.sweep.dir=outputs/s")
    result = sweep(tmp_path, *words, "steps=2", "metrics=none")
    assert result.returncode == 0, result.stderr
    runs = [tmp_path / f"outputs/s/seed={seed}" for seed in (0, 1)]
    assert [card(run)["status"] for run in runs] == ["finished", "finished"]


@needs("hydra_plugins.hydra_optuna_sweeper")
def test_a_study_names_the_best_score_and_is_continued(tmp_path):
    words = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweep.dir=outputs/s")
    space = ("optimizer.lr=tag(log,interval(1e-4,1e-3))", "steps=2", "every.evaluate=2")
    for trials in 2, 4:
        result = sweep(tmp_path, *words, *space)
        assert result.returncode == 0, result.stderr
        cards = [json.loads(p.read_text()) for p in tmp_path.glob("outputs/s/*/run.json")]
        assert len(cards) == trials
    best = yaml.safe_load((tmp_path / "outputs/s/optimization_results.yaml").read_text())
    scores = [card["objective"]["value"] for card in cards]
    assert {card["objective"]["name"] for card in cards} == {"fd_random"}
    assert best["best_value"] == pytest.approx(min(scores))


@pytest.mark.parametrize(
    ("file", "extra"),
    [
        ("launcher/slurm", "slurm"),
        ("launcher/local", "slurm"),
        ("launcher/joblib_jobs", "joblib"),
        ("launcher/ray_gpus", "ray"),
        ("sweeper/optuna_study", "optuna"),
    ],
)
def test_without_its_plugin_a_config_names_the_extra_to_install(file, extra):
    """The words of Hydra's error for a config whose parent is not there."""
    (parent,) = yaml.safe_load((CONFIGS / f"hydra/{file}.yaml").read_text())["defaults"]
    group = file.partition("/")[0]
    told = f"In 'hydra/{file}': Could not load 'hydra/{group}/{parent}'."
    assert message(HydraException(told)).endswith(f"; type pip install 'gan-cli[{extra}]'")


def test_the_names_of_plugins_lead_to_our_configs():
    for word, ours in READY_CONFIGS.items():
        assert ours in hydra_arguments(["-m", word, "seed=0,1"])
        assert (CONFIGS / f"{ours.replace('=', '/')}.yaml").is_file()


def test_a_slurm_job_has_one_gpu_and_is_requeued():
    config = yaml.safe_load((CONFIGS / "hydra/launcher/slurm.yaml").read_text())
    assert config["gpus_per_node"] == 1
    assert config["max_num_timeout"] > 0
    assert config["signal_delay_s"] >= 60


@needs("submitit")
@pytest.mark.skipif(shutil.which("srun") is not None, reason="there is a SLURM here")
def test_without_slurm_one_line_says_so(tmp_path):
    result = sweep(tmp_path, "hydra/launcher=slurm", "seed=0,1")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("gan_cli: hydra/launcher: there is no SLURM")
