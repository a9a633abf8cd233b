"""Folders of a sweep's jobs, and what its report makes of them."""

import csv
import json
import sys
from pathlib import Path

import pytest

from gan_cli.config.job_folders import constant_keys, free_name, launch, name_of
from gan_cli.losses import losses
from gan_cli.report.jobs import group_jobs, read_jobs
from gan_cli.report.sweep_report import write_sweep_report
from gan_cli.train import main
from tests.fuzz.outcome import outcome_of
from tests.test_report import make_run

TINY = (
    *("dataset=ring", "dataset.count=64", "model=mlp", "batch_size=8", "metrics=none"),
    *("every.preview=0", "health=false", "device=cpu", "device.threads=1", "steps=1"),
    *("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
)


def sweep(*words: str) -> tuple[int | None, str]:
    outcome = outcome_of(main, ["-m", *TINY, *words, "hydra.sweep.dir=outputs/s"], limit=120)
    assert "Traceback" not in outcome.err
    return outcome.status, outcome.out + outcome.err


def folders() -> set[str]:
    return {path.parent.name for path in Path("outputs/s").glob("*/job.json")}


def rows() -> list[dict[str, str]]:
    write_sweep_report(Path("outputs/s"))
    with open("outputs/s/sweep.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_names_are_made_of_what_varies_in_the_order_of_the_keys():
    assert name_of({"seed": "0", "loss": "hinge"}) == "loss=hinge+seed=0"
    assert name_of({"optimizer.lr": "1e-4"}) == "optimizer.lr=1e-4"
    assert name_of({"a": "-1"}) == "a=-1"


@pytest.mark.parametrize(
    "value", ["[0, 0.9]", "{start: 1,end: 0}", "'a b'", "a/b", "..", "é" * 200, "x" * 5000, "[]"]
)
def test_names_are_safe_short_and_told_apart(value):
    name = name_of({"loss.betas": value, "seed": "0"})
    assert "/" not in name
    assert len(name.encode()) <= 120
    assert name == name_of({"seed": "0", "loss.betas": value})
    others = [name_of({"loss.betas": value + end, "seed": "0"}) for end in (" ", ",", "'", "/")]
    assert len({name, *others}) == 5


def test_only_constant_keys_are_listed():
    words = ["++steps=5", "loss=hinge,r3gan", "++seed=range(0,2)", "~augment", "hydra.sweep.dir=x"]
    (word,) = constant_keys(words)
    assert word.endswith("exclude_keys=['steps','augment']")
    (word,) = constant_keys(["++a=1", "++a=1,2", "++b=1"])  # as for Hydra, the last counts
    assert word.endswith("exclude_keys=['b']")
    assert constant_keys(["hydra.job.config.override_dirname.exclude_keys=[a]", "++b=1"]) == []


def test_an_earlier_folder_with_the_same_settings_is_taken(tmp_path):
    """Folders of earlier versions are numbered; their job.json has no list of constant keys."""
    words = ["loss=hinge", "++steps=100", "++seed=1"]
    make_run(tmp_path / "3-dcgan", job={"job": 3, "overrides": words})
    constant = ["loss", "steps"]
    assert free_name(tmp_path, "seed=1", words, constant) == "3-dcgan"
    longer = ["loss=hinge", "++steps=200", "++seed=1"]  # a constant that may change
    assert free_name(tmp_path, "seed=1", longer, constant) == "3-dcgan"
    assert free_name(tmp_path, "steps=200", longer, ["loss"]) == "steps=200"
    assert free_name(tmp_path, "seed=1", ["loss=r3gan", "++seed=1"], constant) == "seed=1"


@pytest.mark.slow
def test_an_extended_sweep_trains_what_is_new(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sweep("seed=0,1")[0] == 0
    assert folders() == {"seed=0", "seed=1"}
    status, told = sweep("seed=2,1,0")
    assert status == 0
    assert folders() == {"seed=0", "seed=1", "seed=2"}
    assert told.count("is done already, at step 1;") == 2
    assert told.count(" starts: ") == 1
    assert sweep("loss=nonsaturating,hinge", "seed=0")[0] == 0  # another key varies
    assert folders() >= {"loss=hinge", "loss=nonsaturating"}
    assert "is done already, at step 1;" in sweep("loss=hinge", "seed=0,1")[1]
    assert folders() >= {"loss=hinge", "seed=1"}
    groups = group_jobs(read_jobs(Path("outputs/s")), "", True)
    seeds = {frozenset(job.seed for job in group.jobs) for group in groups}
    assert seeds == {frozenset("012"), frozenset("01")}  # of the default loss, and of hinge


@pytest.mark.slow
def test_a_constant_that_changes_does_not_meet_another_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sweep("seed=0,1", "optimizer.lr=1e-3")[0] == 0
    assert sweep("seed=0,1", "optimizer.lr=1e-4")[0] == 0
    assert len(folders()) == 4
    assert sweep("seed=0,1", "optimizer.lr=1e-4", "every.log=7")[0] == 0  # may change
    assert len(folders()) == 4
    assert {(row["optimizer.lr"], row["seed"]) for row in rows()} == {
        (lr, seed) for lr in ("0.001", "0.0001") for seed in "01"
    }


@pytest.mark.slow
def test_refused_and_crashed_jobs_are_listed_with_their_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(losses, "entries", dict(losses.entries))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "crash.py").write_text(
        "from gan_cli.losses import losses\n"
        "@losses.register('crash')\n"
        "class Crash:\n"
        "    def __init__(self, **_):\n"
        "        raise ZeroDivisionError('no such luck')\n"
    )
    words = ["imports=[crash]", "seed=0"]
    outcome = outcome_of(
        main,
        ["-m", *TINY, *words, "batch_size=0,8", "loss.adversarial.name=crash,hinge",
         "hydra.sweep.dir=outputs/s"],
        limit=120,
    )  # fmt: skip
    assert outcome.status != 0
    states = {(row["batch_size"], row["loss.adversarial.name"]): row["status"] for row in rows()}
    assert states["8", "hinge"] == "finished"
    assert states["8", "crash"] == "ZeroDivisionError: no such luck"
    assert "batch_size: " in states["0", "hinge"]
    sweep(*words, "batch_size=0,8", "loss.adversarial.name=hinge")  # type it again
    assert sum(row["status"] == "finished" for row in rows()) == 1


def test_a_success_clears_the_error_of_an_earlier_try(tmp_path, monkeypatch):
    job = {"job": 0, "overrides": ["++seed=0"], "constant": [], "error": None}
    make_run(tmp_path / "seed=0", job=job)
    refused = {**job, "overrides": ["++seed=1"], "error": "run: was trained with other settings"}
    make_run(tmp_path / "seed=1", seed=1, job=refused)
    assert [job.status for job in read_jobs(tmp_path)] == ["finished", refused["error"]]


def test_numbered_folders_that_were_mixed_up_count_each_seed_once(tmp_path):
    """Earlier versions listed the run of one job as that of another, whose start was refused."""
    for number, seed in enumerate((0, 1, 2)):
        job = {"job": number, "overrides": [f"++seed={seed}"]}
        make_run(tmp_path / f"{number}-mlp", value=2.0 + seed, seed=seed, job=job)
    job = {"job": 2, "overrides": ["++seed=2"], "error": "trained with other settings"}
    make_run(tmp_path / "2-other", value=50.0, seed=7, job=job)
    jobs = read_jobs(tmp_path)
    (group,) = group_jobs(jobs, "fid", True)
    assert group.over_seeds("best", "fid").values == (2.0, 3.0, 4.0)
    twice = {"job": 4, "overrides": ["++seed=2"]}
    make_run(tmp_path / "4-mlp", value=4.0, seed=2, job=twice)
    (group,) = group_jobs(read_jobs(tmp_path), "fid", True)
    assert len(group.over_seeds("best", "fid").values) == 3


def test_jobs_fold_by_config_not_by_the_words(tmp_path):
    for number, lr in enumerate(("1e-4", "0.0001", "2e-4")):
        job = {"job": number, "overrides": [f"++optimizer.lr={lr}", f"++seed={number}"]}
        config = {"optimizer": {"lr": float(lr)}, "seed": number, "run": f"run-{number}"}
        make_run(tmp_path / str(number), seed=number, job=job, config=config)
    groups = group_jobs(read_jobs(tmp_path), "fid", True)
    assert sorted(len(group.jobs) for group in groups) == [1, 2]


def test_records_survive_a_job_file_of_another_program(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "job.json").write_text(json.dumps({"overrides": "text", "job": "1"}))
    assert free_name(tmp_path, "seed=1", ["++seed=1"], []) == "seed=1"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, "TIME"),
        ("none", "TIME"),  # torchrun without --rdzv-id
        ("big-run", "big-run"),
        ("../a b/c", "a-b-c"),
        ("..", "TIME"),
    ],
)
def test_processes_that_torchrun_starts_again_find_the_same_folder(given, name, monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if given is not None:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", given)
    assert launch("TIME") == name
