"""A run that is named goes on with its own settings, and with what is typed on top of them."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import gan_cli
from gan_cli.config.start import Start, continued_arguments, continuing_command, with_run_name
from gan_cli.losses import losses
from gan_cli.train import main
from gan_cli.training import together
from gan_cli.utils.errors import ConfigError, SignalError
from gan_cli.validation.continuing import overlaid
from tests.fuzz.outcome import outcome_of
from tests.test_commands import environment
from tests.test_sweeps import sweep

OLD = Path(__file__).parent / "data" / "format1"
QUICK = (
    *("dataset=synthetic", "dataset.count=32", "batch_size=8", "metrics=none", "device=cpu"),
    *("health=false", "model.networks.generator.width=8", "model.networks.discriminator.width=8"),
    "every={log: 1, preview: 0, evaluate: 0, checkpoint: 1}",
)
FOLLOWING = "optimizer.lr={start: 1e-3, end: 1e-4, over: '${steps}'}"


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def start(name="pets", *words):
    return gan_cli.train(f"run={name}", *QUICK, "steps=1", *words)


def command(*words):
    """Status, and all output, of gan-train in this process."""
    outcome = outcome_of(main, [*words], limit=120)
    return outcome.status, outcome.out + outcome.err


def card(name="pets"):
    return json.loads(Path("outputs", name, "run.json").read_text())


def settings(run):
    config = {**vars(run.config)}
    return {k: v for k, v in config.items() if k not in ("run", "steps", "allow_changes")}


def contents():
    """All files of the run, except the log, which has the refusal."""
    files = (path for path in Path("outputs/pets").rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.name != "log.txt"}


# ---- Its own settings


def test_a_run_that_is_only_named_keeps_all_its_settings():
    first = start("pets", "loss=wgan_gp", "seed=3", "optimizer.lr=1e-3")
    longer = gan_cli.train(run="pets", steps=2)
    assert longer.step == 2
    assert settings(longer) == settings(first)
    assert settings(gan_cli.train(run="pets")) == settings(first)


def test_what_followed_a_group_stays_that_of_the_group_at_the_start():
    start("pets", "loss=wgan_gp")
    config = gan_cli.train(run="pets", steps=2, seed=0).config
    assert [beta.start for beta in config.optimizer["betas"]] == [0.0, 0.9]
    assert config.model.networks["discriminator"]["norm"] == "none"


def test_a_longer_run_that_was_stopped_keeps_its_new_length():
    start()
    gan_cli.train(run="pets", steps=3)
    assert gan_cli.train(run="pets").config.steps == 3


def test_a_schedule_that_follows_steps_follows_those_typed_on_top():
    start("pets", FOLLOWING)
    assert gan_cli.train(run="pets", steps=4).config.optimizer["lr"].over == 4


def test_settings_of_a_recipe_and_of_an_own_module_need_not_be_typed_again(monkeypatch):
    monkeypatch.setattr(losses, "entries", dict(losses.entries))
    Path("own_lines.py").write_text(
        "from gan_cli.training.run import Run\n"
        "from gan_cli.losses import losses\n"
        "from gan_cli.losses.adversarial import Hinge\n"
        "losses.entries.setdefault('own_hinge', type('OwnHinge', (Hinge,), {}))\n"
    )
    small = ("batch_size=8", "steps=1", "health=false", "metrics=none", "every={preview: 0}")
    words = ("experiment=ring8_wgan_gp", "imports=[own_lines]", "dataset.count=64", *small)
    first = gan_cli.train("run=ring", *words)
    again = gan_cli.train(run="ring", steps=2)
    assert again.step == 2
    assert again.config.loss == first.config.loss
    assert again.config.dataset == first.config.dataset
    assert again.config.optimizer["lr"].over == 2  # as the recipe says: ${steps}
    assert again.config.imports == ("own_lines",)


def test_the_command_says_what_it_continues_with_and_what_changed():
    start()
    status, told = command("run=pets", "steps=2", "every.log=2")
    assert status == 0, told
    assert "continuing outputs/pets at step 1 with its own settings" in told
    assert "steps=2" in told
    assert "every.log=2" in told


@pytest.mark.parametrize("words", [["run=pets"], ["outputs/pets"], ["run=pets", *QUICK]])
def test_a_run_that_is_done_says_so_and_what_to_type(words):
    start()
    before = Path("outputs/pets/run.json").read_bytes()
    status, told = command(*words)
    assert status == 0, told
    assert "outputs/pets is done already, at step 1;" in told
    assert "gan-train run=pets steps=2" in told
    assert Path("outputs/pets/run.json").read_bytes() == before


def test_a_new_run_starts_with_the_defaults():
    start()
    _, told = command("run=other", "check=true")
    assert "the config is valid" in told
    _, told = command("run=pets", "--cfg", "job")
    assert "count: 32" in told
    assert "count: 32" not in command("run=other", "--cfg", "job")[1]


# ---- Changes on top


def test_typed_changes_are_refused_by_name_and_only_these():
    start("pets", "loss=wgan_gp")
    with pytest.raises(ConfigError) as error:
        gan_cli.train(run="pets", batch_size=4, steps=2)
    assert error.value.faults[1:] == ("batch_size: 8 -> 4",)


def test_a_group_that_is_typed_changes_the_settings_of_that_group():
    start("pets", "loss=wgan_gp")
    with pytest.raises(ConfigError) as error:
        gan_cli.train(run="pets", loss="nonsaturating", steps=2)
    assert "loss.adversarial.name: wasserstein -> nonsaturating" in error.value.faults
    assert "optimizer.betas[0].start: 0.0 -> 0.5" in error.value.faults
    assert not any(fault.startswith(("dataset", "batch_size")) for fault in error.value.faults)


def test_the_choices_of_the_start_typed_again_are_no_changes():
    start("pets", "loss=wgan_gp")
    run = gan_cli.train("loss=wgan_gp", "model=dcgan", "dataset=synthetic", run="pets", steps=2)
    assert run.config.model.networks["generator"]["width"] == 8
    assert run.config.dataset["count"] == 32


def test_accepted_changes_are_settings_of_the_run_from_then_on():
    start()
    gan_cli.train(run="pets", batch_size=4, steps=2, allow_changes=True)
    run = gan_cli.train(run="pets", steps=3)
    assert (run.config.batch_size, run.config.allow_changes) == (4, False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model.networks.generator.width=16"], "model.networks.generator: "),
        (["dataset.channels=1"], "its samples are image (3, 32, 32), and now image (1, 32, 32)"),
        (["dataset.size=64"], "its samples are image (3, 32, 32), and now image (3, 64, 64)"),
        (["model=unrolled"], "its game is 'gan', and now 'unrolled_gan'"),
    ],
)
def test_changes_that_cannot_fit_are_refused_in_words_and_nothing_is_written(words, told):
    start()
    files = contents()
    with pytest.raises(ConfigError, match="do not fit the new settings") as error:
        gan_cli.train(*words, run="pets", steps=2, allow_changes=True)
    assert told in str(error.value)
    assert contents() == files


@pytest.mark.parametrize("other", [["optimizer=sgd"], ["optimizer=rmsprop"]])
def test_another_optimizer_starts_without_the_moments_of_the_first(other):
    start()
    assert gan_cli.train(*other, run="pets", steps=2, allow_changes=True).step == 2
    assert (
        gan_cli.train("optimizer.momentum=0.9", run="pets", steps=3, allow_changes=True).step == 3
    )
    assert gan_cli.train("optimizer=adam", run="pets", steps=4, allow_changes=True).step == 4


# ---- Older runs, damaged files, other places


def without_words(name="pets"):
    """As an earlier version wrote run.json."""
    path = Path("outputs", name, "run.json")
    path.write_text(json.dumps({k: v for k, v in card(name).items() if k != "start"}))


def test_a_run_whose_words_are_not_known_keeps_its_settings():
    first = start("pets", "loss=wgan_gp", "seed=3")
    without_words()
    longer = gan_cli.train(run="pets", steps=2)
    assert settings(longer) == settings(first)
    without_words()
    with pytest.raises(ConfigError) as error:
        gan_cli.train(run="pets", loss="nonsaturating", steps=3)
    assert "loss.adversarial.name: wasserstein -> nonsaturating" in error.value.faults
    again = gan_cli.train("run=pets", *QUICK, "loss=wgan_gp", "seed=3", "steps=3")
    assert again.step == 3


@pytest.mark.parametrize("content", ["", '{"config": {"model": {"generator": "mlp"}, "lr": 1}}'])
def test_runs_of_format_1_are_refused_with_what_to_type(content):
    Path("outputs/old/checkpoints").mkdir(parents=True)
    shutil.copy(OLD / "gan.pt", "outputs/old/checkpoints/step-0000002.pt")
    Path("outputs/old/run.json").write_text(content)
    with pytest.raises(ConfigError, match=r"earlier version of gan_cli .checkpoint format 1"):
        gan_cli.train(run="old")


@pytest.mark.parametrize("content", ["{", '{"start": {"words": ["loss=gone"], "choices": {}}}', ""])
def test_settings_are_those_of_the_checkpoint_if_run_json_is_lost_or_damaged(content):
    first = start("pets", "loss=wgan_gp", "seed=3")
    Path("outputs/pets/run.json").write_text(content)
    assert settings(gan_cli.train(run="pets", steps=2)) == settings(first)
    Path("outputs/pets/run.json").unlink()
    assert settings(gan_cli.train(run="pets", steps=3)) == settings(first)


def test_keys_of_a_newer_version_get_their_defaults():
    start("pets", "loss=wgan_gp")
    path = Path("outputs/pets/checkpoints/step-0000001.pt")
    state = torch.load(path, weights_only=True)
    written = card()
    for config in (state["config"], written["config"]):
        del config["clip_norm"], config["loss"]["critic_norm"], config["dataset"]["classes"]
    torch.save(state, path)
    Path("outputs/pets/run.json").write_text(json.dumps(written))
    run = gan_cli.train(run="pets", steps=2)
    assert (run.step, run.config.loss.critic_norm) == (2, "none")
    assert "critic_norm" in card()["config"]["loss"]


def test_a_typed_value_of_a_key_that_the_run_does_not_know_is_a_change():
    start()
    path = Path("outputs/pets/checkpoints/step-0000001.pt")
    state = torch.load(path, weights_only=True)
    del state["config"]["accumulate"]
    torch.save(state, path)
    with pytest.raises(ConfigError, match="accumulate: absent -> 2"):
        gan_cli.train(run="pets", steps=2, accumulate=2)


@pytest.mark.parametrize("name", ["cats", "my pets", "2024_01_05", "of/2024"])
def test_a_run_goes_on_under_another_name(name):
    first = start("pets", "seed=3")
    Path("outputs", name).parent.mkdir(parents=True, exist_ok=True)
    shutil.move("outputs/pets", Path("outputs", name))
    words = shlex.split(continuing_command(Path("outputs", name), "steps=2"))
    status, told = command(*words[1:])
    assert (status, words[0]) == (0, "gan-train"), told
    assert card(name)["step"] == 2
    assert card(name)["config"]["seed"] == first.config.seed == 3


def test_a_run_without_a_checkpoint_starts_with_its_own_settings():
    start("pets", "seed=3")
    shutil.rmtree("outputs/pets/checkpoints")
    status, told = command("outputs/pets")
    assert status == 0, told
    assert "continuing outputs/pets from the start, without a checkpoint, with its own" in told
    assert card()["config"]["seed"] == 3


# ---- Words


def test_folders_of_runs_are_names_of_runs():
    (Path("outputs/a b/checkpoints")).mkdir(parents=True)
    (Path("outputs/none")).mkdir(parents=True)
    for word in ("outputs/a b", "outputs/a b/", "./outputs/a b", "run=outputs/a b"):
        assert with_run_name([word]) == ["run='a b'"]
    (Path("outputs/s/seed=0/checkpoints")).mkdir(parents=True)
    assert with_run_name(["outputs/s/seed=0"]) == ["run='s/seed=0'"]
    assert with_run_name(["run=outputs/s/seed=0"]) == ["run='s/seed=0'"]
    for word in ("outputs/none", "outputs", "dataset.path=outputs/a b", "seed=outputs/a b"):
        assert with_run_name([word]) == [word]
    assert with_run_name(["--config-dir", "outputs/a b"]) == ["--config-dir", "outputs/a b"]


def test_words_are_put_on_top_of_those_of_the_start():
    words = ("++optimizer.lr=1e-4", "loss=hinge", "++loss.critic_steps=2", "++every={log: 1}")
    first = Start(words, {"loss": "hinge", "optimizer": "adam"})
    assert first.with_typed(["loss=hinge", "optimizer=adam"]) == words
    assert first.with_typed(["++optimizer.lr=1"]) == (*words[1:], "++optimizer.lr=1")
    assert first.with_typed(["optimizer=sgd"]) == (*words[1:], "optimizer=sgd")
    assert first.with_typed(["loss=r1"]) == (words[0], words[3], "loss=r1")
    assert first.with_typed(["++every={preview: 0}"]) == (*words, "++every={preview: 0}")
    assert first.with_typed(["++every.log=2"]) == (*words, "++every.log=2")


@pytest.mark.parametrize("name", ["../pets", "/pets", "~pets", "''", "${now:}", "[a]", "a\0b", "x"])
def test_names_that_are_no_run_leave_the_words_alone(name):
    assert continued_arguments([f"++run={name}", "++steps=2"]) == [f"++run={name}", "++steps=2"]


def test_words_that_hydra_would_run_are_not_taken_from_a_run():
    start()
    written = card()
    written["start"]["words"] += ["++hydra.callbacks.x._target_=os.abort", "check=true"]
    Path("outputs/pets/run.json").write_text(json.dumps(written))
    words = continued_arguments(["++run=pets"])
    assert words[-1] == "++run=pets"
    assert not any(word.startswith(("++hydra", "check=")) for word in words)


@pytest.mark.parametrize(
    ("own", "base", "new", "expected"),
    [
        (1, 2, 2, 1),  # of the run, although the default of this version is 2
        (1, 2, 3, 3),
        ({"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1, "b": 2}),  # a key that is new
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}),  # one that was taken away
        ({"a": 1, "b": 2}, {"a": 1}, {"a": 3}, {"a": 3, "b": 2}),
        ({"name": "x", "k": 1}, {"name": "x", "k": 1}, {"name": "y"}, {"name": "y"}),
        ({"name": "x", "k": 1}, {"name": "y"}, {"name": "y"}, {"name": "x", "k": 1}),
    ],
)
def test_changes_are_laid_over_the_settings_of_the_run(own, base, new, expected):
    assert overlaid(own, base, new) == expected


# ---- Sweeps, and stopping


def test_a_sweep_that_is_typed_again_passes_over_jobs_that_are_done(monkeypatch):
    assert sweep("seed=0,1")[0] == 0
    status, told = sweep("seed=0,1,2")
    assert status == 0
    assert told.count("is done already, at step 1;") == 2
    assert told.count(" starts: ") == 1
    status, told = sweep("seed=0,1", "steps=2")
    assert told.count("with its own settings (steps=2 changed)") == 2
    job = json.loads(Path("outputs/s/seed=0/run.json").read_text())
    assert (job["status"], job["step"]) == ("finished", 2)


def test_done_jobs_need_no_torch():
    start()
    script = (
        "import sys; sys.argv = ['gan-train', 'run=pets']\n"
        "from gan_cli.train import main\n"
        "main()\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "is done already" in done.stdout


def stopped(folder):
    """A run of one process that a signal has reached."""
    processes = SimpleNamespace(world=1, any=bool, gather=lambda value: [value])
    runtime = SimpleNamespace(processes=processes)
    return SimpleNamespace(step=3, folder=folder, runtime=runtime, save=lambda: None)


def test_a_stopped_run_says_which_command_continues_it():
    with pytest.raises(SignalError) as error:
        together.stop_if_asked(stopped(Path("outputs/my pets")), signal.SIGINT, None)
    assert "step 3 is saved in outputs/my pets" in str(error.value)
    typed = str(error.value).partition("to continue, type ")[2]
    assert shlex.split(typed) == ["gan-train", "run=my pets"]


def test_a_stopped_job_names_the_command_and_the_folder_of_its_sweep(monkeypatch):
    job = Path("outputs/sweeps/a b/seed=0")
    job.mkdir(parents=True)
    (job / "job.json").write_text("{}")
    typed = ["--multirun", "++seed=0,1", "++loss.betas=[0, 0.9]", "hydra.sweep.dir=x"]
    monkeypatch.setattr(sys, "argv", ["gan-train", *typed])
    assert shlex.split(continuing_command(job)) == [
        *("gan-train", "--multirun", "seed=0,1", "loss.betas=[0, 0.9]"),
        "hydra.sweep.dir=outputs/sweeps/a b",
    ]
    monkeypatch.setattr(sys, "argv", ["gan-train", "++run=x"])  # one job that is continued alone
    assert continuing_command(job) == "gan-train 'run=sweeps/a b/seed=0'"


# ---- pretrained=RUN


def test_pretrained_stands_for_all_networks_of_the_model():
    start("base")
    run = start("fine", "pretrained=base", "seed=1")
    assert run.config.model.pretrained == {"generator": "base", "discriminator": "base"}
    shutil.rmtree("outputs/base")
    assert gan_cli.train(run="fine", steps=2).step == 2
    with pytest.raises(ConfigError, match="was trained with base; type that"):
        gan_cli.train(run="fine", steps=3, pretrained="other")


def test_pretrained_leaves_out_what_the_other_run_has_not(caplog):
    caplog.set_level("INFO")
    start("base")
    words = ("dataset=synthetic", "dataset.count=32", "batch_size=8", "steps=1", "device=cpu")
    run = gan_cli.train("run=inverse", "model=inversion", "pretrained=base", "health=false", *words)
    assert run.config.model.pretrained == {"generator": "base"}
    assert "pretrained: base has no encoder: initialized anew" in caplog.text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("bsae", "pretrained: unknown run 'bsae'; did you mean 'base'?"),
        ({"generator": "base"}, "pretrained: expected the name of a run or a checkpoint file"),
    ],
)
def test_a_pretrained_that_is_no_run_is_refused(value, told):
    start("base")
    with pytest.raises(ConfigError) as error:
        start("fine", f"pretrained={str(value).replace(chr(39), '')}")
    assert told in str(error.value)
    assert not os.path.exists("outputs/fine")
