"""Every word of a command line is valid or refused with one line that says what to type."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli import fid
from gan_cli.config import flags
from gan_cli.config.command_line import hydra_arguments
from gan_cli.config.compose import composed
from gan_cli.config.key_names import close_key
from gan_cli.config.quoting import typed_word
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import unknown
from gan_cli.validation.validate import validate
from tests.fuzz.outcome import Outcome, outcome_of
from tests.helpers import small

REPOSITORY = Path(__file__).resolve().parent.parent


def faults(*words: str, command: str = "train") -> list[str]:
    """What is wrong with the words, [] if nothing is."""
    try:
        hydra_arguments(list(words), command)
    except ConfigError as error:
        return list(error.faults)
    return []


def run(command: str, *words: str) -> Outcome:
    from importlib import import_module

    return outcome_of(import_module(f"gan_cli.{command}").main, list(words))


def refused(outcome: Outcome) -> str:
    """The only line of a refusal."""
    assert outcome.status == 2, outcome
    (line,) = outcome.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--lr=0.1"], "did you mean optimizer.lr=0.1?"),
        (["-lr", "0.1"], "did you mean optimizer.lr=0.1?"),
        (["--epochs", "5"], "did you mean steps=5?"),
        (["--batch-size=4"], "did you mean batch_size=4?"),
        (["--multi", "seed=0,1"], "did you mean --multirun?"),
        (["--quux"], "--quux: unknown flag; settings are typed key=value"),
        (["--experimental-rerun=x"], "is not supported, since it reads a pickle"),
        (["model=", "dcgan"], "type model=dcgan"),
        (["steps", "=", "5"], "type steps=5"),
        (["steps", "=5"], "type steps=5"),
        (["optimizer.lr={start:", "1e-3,", "end:", "0}"], "'optimizer.lr={start: 1e-3, end: 0}'"),
        (["dataset.path"], "type dataset.path=VALUE"),
        (["dcgan"], "did you mean model=dcgan?"),
        (["stepz"], "did you mean steps=VALUE?"),
        (["help"], "did you mean --help?"),
        ([""], "leave it out"),
        (["=x"], "names no key"),
        (["steps =5"], "type steps=5"),
        (["run=“a b”"], "typographic quotes"),
        (["every=log:20", "every=preview:0"], "type 'every={log: 20, preview: 0}'"),
        (["loss=\u2018hinge\u2019"], "typographic quotes"),
        (["loss.betas=[0,0.9"], "'[' and ']' do not match"),
        (["optimizer.lr={start:1"], "'{' and '}' do not match"),
        (["a=b=c"], "cannot read 'a=b=c'"),
        (["run=a\nb"], "line break or control character"),
        (["run=a\0b"], "line break or control character"),
        (["run=a\udcffb"], "not UTF-8"),
        (["clip_norm=None"], "type clip_norm=null"),
        (["experiment=[null]"], "is one choice"),
        (["degradation=gray"], "type degradation@dataset.degradation=gray"),
        (["degradation@dataset.degradation=gra"], "did you mean 'gray'?"),
        (["dataset@dataset.source=mnst"], "dataset@dataset.source: unknown dataset 'mnst'; did"),
        (["dataset@dataset.images=null"], "null chooses nothing; type dataset.images=null"),
        (["seed=0,1"], "add -m (--multirun) for a sweep or, for a list, 'seed=[0,1]'"),
        (["-m", "seed=range(0,0)"], "has no values"),
        (["-m", "loss=glob(zz*)"], "matches no choice"),
        (["run=" + "x" * 300], "too long for a file name"),
        (["dataset.path=" + "a/" * 5000], "too long for a file name"),
        (["x" * 100_000], "is not key=value"),
        (["x" * 100_000 + "=1"], "too long for a key"),
        (["hydra.job.chdir=true"], "is not supported"),
        (["--cfg"], "type --cfg job"),
        (["--cfg=all", "-m"], "type one of the two"),
        (["--multirun=true"], "takes no value"),
        (["--config-dir=nowhere"], "no folder nowhere"),
        (["--config-path", "nowhere"], "no folder nowhere"),
        (["hydra.searchpath=[file://nowhere]"], "no folder file://nowhere"),
        (["hydra.searchpath=[pkg://no.such.package]"], "no folder pkg://no.such.package"),
    ],
)
def test_a_word_that_cannot_be_read_gets_advice(words, advice):
    (line,) = faults(*words)
    assert advice in line
    assert "\n" not in line
    assert len(line) < 500


def test_paths_and_runs_are_recognized(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()
    (tmp_path / "b.npz").touch()
    (tmp_path / "outputs/pets/checkpoints").mkdir(parents=True)
    (tmp_path / "x.pt").touch()
    assert faults("my photos") == [
        "'my photos' is not key=value; did you mean dataset=folder 'dataset.path=my photos'?"
    ]
    for word in "pets", "outputs/pets":
        for command in "train", "sample", "fid", "export":
            assert "did you mean run=pets?" in faults(word, command=command)[0]
    assert "did you mean checkpoint=x.pt?" in faults("x.pt", command="sample")[0]
    assert "did you mean input=b.npz?" in faults("b.npz", command="sample")[0]
    (line,) = faults("my photos", "b.npz", command="fid")
    assert line.endswith("did you mean gan-fid 'real=my photos' fake=b.npz?")
    (line,) = faults("pets", "outputs/pets", command="fid")
    assert line.endswith("did you mean gan-fid compare pets pets?")


@pytest.mark.parametrize(
    ("command", "key", "meant"),
    [
        ("train", "lr", "optimizer.lr"),
        ("train", "epochs", "steps"),
        ("train", "workers", "device.workers"),
        ("train", "stepz", "steps"),
        ("train", "zzzz", None),
        ("sample", "seed", "seeds"),
        ("fid", "features", "metrics.features"),
    ],
)
def test_the_key_that_was_meant_is_proposed(command, key, meant):
    assert close_key(key, command) == meant


def test_unknown_keys_are_listed_with_the_other_errors():
    with pytest.raises(ConfigError) as caught:
        small("lr=0.1", "epochs=5", "keep_last=x")
    text = "\n".join(caught.value.faults)
    assert "lr: unknown key 'lr'; did you mean 'optimizer.lr'?" in text
    assert "epochs: unknown key 'epochs'; did you mean 'steps'?" in text
    assert "keep_last: expected a whole number" in text


def test_long_names_are_shortened_in_messages():
    assert len(unknown("model", "x" * 5000, ["dcgan"])) < 150


def test_of_many_names_a_message_lists_the_most_similar():
    names = [f"{letter * 20}_gan" for letter in "abcdefghijklmnopqrstuvwxyz"]
    names += [f"photos_{number}" for number in range(30)]
    told = unknown("experiment", "photos", names)
    assert all(f"photos_{number}" in told for number in range(30))
    assert told.endswith(" and 16 more")
    assert len(told) < 1000


@pytest.mark.parametrize(
    "words",
    [
        ["hydra/launcher=submitit_slurm", "-m", "seed=0,1"],
        ["hydra/launcher=quux", "-m", "seed=0,1"],
        ["hydra/sweeper=ax", "-m"],
        ["hydra.launcher=null", "-m"],
        ["hydra=x"],
        ["hydra.mode=x"],
        ["hydra.callbacks=null"],
        ["hydra.sweep.subdir=${x}", "-m", "seed=0,1"],
        ["hydra.job.env_copy=[NOT_THERE]"],
        ["hydra.searchpath=nowhere"],
        ["--config-name", "quux"],
        ["-sc"],
        ["--cfg=job", "--package=quux"],
        ["--cfg=job", "--resolve", "seed=${x}"],
        ["-m", "seed=interval(0,1)"],
        ["model@x=dcgan"],
        ["~quux"],
        ["+steps=3"],
        ["seed=${x}"],
        ["imports=${x}"],
        ["run=${oc.env:NOT_THERE}"],
        ["seed=${quux:1}"],
        ["seed=" + "9" * 5000],
        ["loss.betas=" + "[" * 300 + "]" * 300],
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_errors_of_hydra_are_one_line_with_status_2(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(run("train", "check=true", *words))
    assert "HYDRA_FULL_ERROR" not in line


@pytest.mark.parametrize(
    ("command", "words", "told"),
    [
        ("fid", ["metrics=1", "run=x"], "metrics.compute: expected names of metrics, got [1]"),
        ("train", ["metrics.compute=[[fd]]"], "metrics.compute: expected names of metrics, got"),
        (
            *("train", ["logger=mlflow", "logger.mlflow.tags=[a]"]),
            "logger.mlflow.tags: expected keys and values, got [a]",
        ),
        ("train", ["loss.penalties=[r1]"], "loss.penalties: expected keys and values, got [r1]"),
        ("train", ["imports={a: 1}"], "imports: expected a list, got {a: 1}"),
        ("train", ["loss.betas.x=3"], "loss.betas.x: loss.betas is a list, which is set"),
        ("train", ["imports.0=a"], "imports.0: imports is a list, which is set as a whole"),
    ],
)
def test_lists_and_mappings_in_the_wrong_place_are_told_in_our_words(
    command, words, told, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert refused(run(command, *words)).startswith(f"gan_cli: {told}")


def test_a_missing_launcher_is_a_missing_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(run("train", "-m", "hydra/launcher=rq", "seed=0,1"))
    assert line.endswith("type pip install hydra-rq-launcher")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("brackets", b"a: 1\nb: [\n", "brackets.yaml, line 3: no valid YAML"),
        ("twice", b"a: 1\na: 2\n", "twice.yaml, line 2: no valid YAML: found duplicate key"),
        ("latin", b"# \xe9\na: 1\n", "latin.yaml: is not UTF-8"),
        ("listed", b"- 1\n", "In 'model/listed'"),
        ("needy", b"defaults: [quux]\n", "Could not load 'model/quux'"),
    ],
)
@pytest.mark.parametrize("given", ["--config-dir={}", "hydra.searchpath=[file://{}]"])
def test_a_config_file_with_errors_is_named(name, content, told, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model" / f"{name}.yaml").write_bytes(content)
    place = given.format(tmp_path / "conf")
    assert told in refused(run("train", place, f"model={name}", "check=true"))


@pytest.mark.parametrize("given", ["--config-dir=conf", "hydra.searchpath=[conf]"])
def test_groups_of_other_folders_are_found(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/mine.yaml").write_text("defaults: [mlp, _self_]\n")
    assert run("train", given, "model=mine", "dataset=ring", "--cfg=job").status == 0
    config = composed("train", [given, "model=mine", "dataset=ring"])
    assert config.model.networks.generator.name == "mlp_generator"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("x = 1\n1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        ("def f(:\n", "mine.py, line 1: "),
        ("import sys\nsys.exit(3)\n", "mine.py, line 2: SystemExit: 3"),
        ("import no_such_module\n", "mine.py, line 1: ModuleNotFoundError"),
        (None, "cannot import 'mine' from"),
    ],
)
def test_a_module_that_fails_is_named_with_its_line(code, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    if code is not None:
        (tmp_path / "mine.py").write_text(code)
    with pytest.raises(ConfigError, match="imports: ") as caught:
        validate(composed("train", ["imports=[mine]"]))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "name", ["plain", "2024_01_05", "a b", "фото, мои [1]=x", "it's", 'say "x"', "a\\", "$(x)", "é"]
)
def test_an_advised_word_is_read_as_it_was(name):
    """A shell and Hydra give back the name, whatever it holds."""
    (word,) = shlex.split(typed_word("dataset.path", name))
    assert composed("train", ["dataset=folder", word]).dataset.path == name


@pytest.mark.parametrize("path", ["photos (1)", "a,b (2)", "x=[1]", "{x"])
def test_a_path_that_hydra_cannot_read_is_taken_as_typed(path):
    assert composed("train", ["dataset=folder", f"dataset.path=data/{path}"]).dataset.path == (
        f"data/{path}"
    )


def test_home_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/x") == tmp_path / "x"
    assert user_path("~no-such-user/x") == Path("~no-such-user/x")
    words = hydra_arguments(["-m", "seed=0,1", "hydra.sweep.dir=~/sweep"])
    assert f"hydra.sweep.dir='{tmp_path}/sweep'" in words
    with pytest.raises(ConfigError, match="run: names a folder in outputs/"):
        small("run='~/x'")


def test_flags_are_told_from_other_words():
    line = flags.split(["-m", "a=1", "--cfg", "job", "--config-dir", "conf", "--info", "b=2", "-x"])
    assert line.others == ("a=1", "b=2")
    assert line.flags == (
        *(("--multirun", None), ("--cfg", "job"), ("--config-dir", "conf")),
        *(("--info", None), ("-x", None)),
    )
    assert line.sweeps
    assert flags.split(["hydra.mode=MULTIRUN"]).sweeps


def test_one_list_of_metrics_per_job():
    arguments = hydra_arguments(["-m", "metrics.compute=[fd],[kd,prdc]"])
    assert "metrics.compute={fd: {}},{kd: {},prdc: {}}" in [a.lstrip("+") for a in arguments]
    assert arguments.index("~metrics.compute") < len(arguments) - 1


@pytest.mark.parametrize(
    ("word", "full"),
    [
        ("metrics=fd,kd", "metrics.compute=[fd,kd]"),
        ("metrics=[fd],[kd]", "metrics.compute=[fd],[kd]"),
        ("metrics=choice([fd],[kd])", "metrics.compute=choice([fd],[kd])"),
        ("metrics=", "metrics.compute=[]"),
    ],
)
def test_metrics_of_gan_fid(word, full):
    assert fid.full(word) == full


def test_words_are_quoted_in_the_next_line(tmp_path):
    """The advice at the end of a training works when it is pasted into a shell."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    words = ["dataset=ring", "model=mlp", "steps=1", "metrics=none", "health=false", "device=cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "gan_cli.train", *words, "run='мой run, 1'"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("next: ")]
    name, word, board, flag, folder = shlex.split(line.removeprefix("next: "))
    assert (name, board, flag) == ("gan-sample", "tensorboard", "--logdir")
    assert folder == "outputs/мой run, 1"
    assert composed("sample", [word]).run == "мой run, 1"
