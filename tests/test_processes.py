"""Several processes of one run: equal networks, and one end for all."""

import json
import shutil

import pytest
import torch

from tests.ranks import train_together

pytestmark = pytest.mark.slow

AT = """
import os, signal
from gan_cli.training.run import Run
from gan_cli.training.turns import Turns
def at(owner, name, culprit, action):
    original = getattr(owner, name)
    def replaced(*arguments, **options):
        if rank == culprit:
            action()
        return original(*arguments, **options)
    setattr(owner, name, replaced)
def fail(error):
    def action():
        raise error
    return action
"""


def status_in(folder):
    return json.loads((folder / "outputs/test/run.json").read_text())["status"]


def steps_in(folder):
    return sorted(path.stem for path in (folder / "outputs/test/checkpoints").glob("step-*.pt"))


@pytest.mark.parametrize("culprit", [0, 1])
@pytest.mark.parametrize(
    ("place", "error", "status", "words"),
    [
        ("Turns, 'play'", "KeyError('mine')", 1, "KeyError: 'mine'"),
        ("Run, 'check_finite'", "NonFiniteError('step 1: w is not finite')", 3, "is not finite"),
        ("Run, 'save'", "StorageError('cannot write x')", 4, "cannot write x"),
        ("Run, 'resume'", "StorageError('x is damaged')", 4, "x is damaged"),
        ("Run, 'write_log'", "ConfigError('metrics: too few')", 2, "metrics: too few"),
        ("Run, 'loop'", "KeyboardInterrupt()", 130, "stopped by SIGINT"),
        ("Run, '__init__'", "ConfigError('dataset.path: missing')", 2, "dataset.path: missing"),
    ],
)
def test_an_error_of_one_process_ends_all_with_one_line(
    culprit, place, error, status, words, tmp_path
):
    code = f"{AT}from gan_cli.utils.errors import *\nat({place}, {culprit}, fail({error}))"
    ended = train_together(tmp_path, "steps=3", "every.checkpoint=1", code=code)
    assert ended.statuses == [status, status], ended.errors
    lines = [line for line in ended.messages if line != "Traceback (most recent call last):"]
    assert len(lines) == 1, ended.errors
    assert words in lines[0]
    assert ("process 1 of 2" in lines[0]) == (culprit == 1) or status == 1
    assert words not in ended.errors[1] or status == 1  # rank 0 prints it
    assert ended.seconds < 40
    if "__init__" not in place and "resume" not in place:
        assert words in status_in(tmp_path) or (culprit == 0 and status in (1, 130))


def test_a_process_that_is_killed_ends_the_others_with_words(tmp_path):
    code = AT + "at(Turns, 'play', 1, lambda: os.kill(os.getpid(), signal.SIGKILL))"
    ended = train_together(tmp_path, "steps=3", code=code)
    assert ended.statuses == [1, -9]
    assert len(ended.messages) == 1
    assert "ended without a message" in ended.messages[0]


def test_the_first_process_being_killed_is_told_by_another(tmp_path):
    code = AT + "at(Turns, 'play', 0, lambda: os.kill(os.getpid(), signal.SIGKILL))"
    ended = train_together(tmp_path, "steps=3", "batch_size=9", code=code, world=3)
    assert ended.statuses == [-9, 1, 1]
    assert ended.messages
    assert all("ended without a message" in line for line in ended.messages)


def test_a_process_that_computes_for_long_is_ended_by_the_failure_of_another(tmp_path):
    code = AT + (
        "import time, gan_cli.runtime.failures as failures\n"
        "failures.GRACE = 1.0\n"
        "at(Turns, 'play', 0, lambda: time.sleep(60))\n"
        "at(Turns, 'play', 1, fail(ValueError('mine')))"
    )
    ended = train_together(tmp_path, code=code)
    assert ended.statuses == [1, 1]
    assert ended.seconds < 40
    assert "ValueError: mine" in ended.errors[0]
    assert "ValueError: mine" in status_in(tmp_path)


def test_a_signal_to_any_process_saves_once_and_ends_all(tmp_path):
    code = AT + "at(Turns, 'play', 1, lambda: os.kill(os.getpid(), signal.SIGUSR1))"
    ended = train_together(tmp_path, "steps=9", code=code)
    assert ended.statuses == [138, 138]
    assert ended.messages == ["gan_cli: stopped by SIGUSR1: step 1 is saved in outputs/test"]
    assert steps_in(tmp_path) == ["step-0000001"]


def test_an_error_between_steps_leaves_a_checkpoint(tmp_path):
    code = AT + "from gan_cli.evaluation.evaluation import Evaluation\n"
    code += "at(Evaluation, 'evaluate', 0, fail(KeyError('mine')))"
    ended = train_together(
        tmp_path, "steps=5", "every.evaluate=2", "metrics=fd_random", "metrics.count=64", code=code
    )
    assert ended.statuses == [1, 1]
    assert steps_in(tmp_path) == ["step-0000002"]


FINISHED = """
from tests.helpers import tensors_of
import torch
def finished(run):
    state = {"augment": run.game.state_dict(), "step": run.step, "drawn": run.drawn}
    torch.save({"tensors": tensors_of(run), **state}, f"rank-{rank}.pt")
"""


def tensors_at(folder, rank):
    return torch.load(folder / f"rank-{rank}.pt", weights_only=True)


def test_statistics_of_batch_norm_are_those_of_all_processes(tmp_path):
    ended = train_together(tmp_path, "steps=2", "model=dcgan", code=FINISHED)
    assert ended.statuses == [0, 0], ended.errors
    first, second = (tensors_at(tmp_path, rank)["tensors"] for rank in (0, 1))
    names = [name for name in first if "running_" in name]
    assert any(name.startswith("average.") for name in names)
    assert any(name.startswith("live.discriminator") for name in names)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_statistics_are_the_mean_over_processes(tmp_path):
    code = FINISHED + (
        "from gan_cli.runtime.runtime import Runtime\n"
        "average, own = Runtime.average_buffers, []\n"
        "def spied(self, networks):\n"
        "    own.append({k: v.clone() for k, v in networks.named_buffers()})\n"
        "    average(self, networks)\n"
        "    own.append({k: v.clone() for k, v in networks.named_buffers()})\n"
        "    torch.save(own, f'buffers-{rank}.pt')\n"
        "Runtime.average_buffers = spied\n"
    )
    assert train_together(tmp_path, "steps=1", "model=dcgan", code=code).statuses == [0, 0]
    (mine, mean), (other, _) = (
        torch.load(tmp_path / f"buffers-{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    names = [name for name in mean if name.endswith(("running_mean", "running_var"))]
    assert names
    for name in names:
        assert torch.allclose(mean[name], (mine[name] + other[name]) / 2)
    assert any(not torch.equal(mine[name], other[name]) for name in names)


def test_an_adaptive_rule_sees_the_terms_of_all_processes(tmp_path):
    code = AT + (
        "from gan_cli.games.game import Game\n"
        "import torch\n"
        "seen, own = [], []\n"
        "backward = Turns.backward\n"
        "def spied(self, *arguments):\n"
        "    terms = backward(self, *arguments)\n"
        "    own.append(float(terms.losses['adversarial']))\n"
        "    return terms\n"
        "Turns.backward = spied\n"
        "after = Game.after_critic\n"
        "def adapt(self, terms):\n"
        "    seen.append(float(terms.losses['adversarial']))\n"
        "    after(self, terms)\n"
        "Game.after_critic = adapt\n"
        "def finished(run):\n"
        "    torch.save({'seen': seen, 'own': own}, f'terms-{rank}.pt')\n"
    )
    assert train_together(tmp_path, "steps=2", code=code).statuses == [0, 0]
    first, second = (
        torch.load(tmp_path / f"terms-{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert first["seen"] == second["seen"]
    assert first["own"] != second["own"]
    critics = [(a + b) / 2 for a, b in zip(first["own"][1::2], second["own"][1::2], strict=True)]
    assert first["seen"] == pytest.approx(critics, rel=1e-6)


def test_all_processes_resume_from_the_checkpoint_of_the_first(tmp_path):
    whole = tmp_path / "whole"
    parts = tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    keep = ("every.checkpoint=1", "model=dcgan")
    assert train_together(whole, "steps=3", *keep, code=FINISHED).statuses == [0, 0]
    assert train_together(parts, "steps=2", *keep).statuses == [0, 0]
    # As on machines that do not share their disks: the second process finds no checkpoint.
    hidden = (
        "from gan_cli.checkpoints.files import Checkpoints\n"
        "if rank == 1: Checkpoints.latest = lambda self: None\n"
    )
    ended = train_together(parts, "steps=3", *keep, code=hidden + FINISHED)
    assert ended.statuses == [0, 0], ended.errors
    for rank in (0, 1):
        found, wanted = tensors_at(parts, rank), tensors_at(whole, rank)
        assert found["step"] == 3
        for name, value in wanted["tensors"].items():
            assert torch.equal(found["tensors"][name], value), name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "from gan_cli.data.sets.synthetic import Synthetic as S\n"
            "if rank == 1: S.fingerprint = lambda self: 'other'\n",
            "dataset: its content",
        ),
        (
            "import tests.helpers as h\nif rank == 1: h.SMALL = (*h.SMALL, 'loss=wgan')\n",
            "loss.adversarial.name",
        ),
    ],
)
def test_processes_with_other_data_or_settings_are_refused(change, words, tmp_path):
    ended = train_together(tmp_path, code=change)
    assert ended.statuses == [2, 2], ended.errors
    assert len(ended.messages) == 1
    assert "process 1 has other settings or data than process 0" in ended.messages[0]
    assert words in ended.errors[0]


def test_previews_have_all_samples_however_many_processes_share_a_batch(tmp_path):
    from PIL import Image

    alone, both = tmp_path / "alone", tmp_path / "both"
    alone.mkdir(), both.mkdir()
    for folder, world in ((alone, 1), (both, 2)):
        ended = train_together(folder, "steps=1", "every.preview=1", world=world)
        assert set(ended.statuses) == {0}, ended.errors
    pictures = [folder / "outputs/test/samples/samples-0000001.png" for folder in (alone, both)]
    assert Image.open(pictures[0]).size == Image.open(pictures[1]).size


VANISHING = """
import gan_cli.data.files.survey as survey
import time
from pathlib import Path
survey.KEPT_BYTES = 0
from gan_cli.training.run import Run
at_intervals = Run.at_intervals
def spied(self):
    at_intervals(self)
    if self.step == 2 and rank == 0:
        for file in sorted(Path("photos").iterdir()):
            file.unlink()
Run.at_intervals = spied
"""


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("workers", [0, 1])
def test_data_that_vanish_are_named_after_saving_and_the_run_resumes(world, workers, tmp_path):
    from tests.test_streaming import save_images

    save_images(tmp_path / "photos", count=40)
    shutil.copytree(tmp_path / "photos", tmp_path / "kept")
    words = ("dataset=folder", "dataset.path=photos", "dataset.size=16", "dataset.resize=crop")
    words += ("~dataset.count", "steps=30", "device.resident=false", f"device.workers={workers}")
    ended = train_together(tmp_path, *words, code=VANISHING, world=world)
    assert ended.statuses == [5] * world, ended.errors
    (line,) = ended.messages
    assert "photos/" in line
    assert ".png cannot be read any more (No such file or directory)" in line
    (saved,) = steps_in(tmp_path)
    assert f"step {int(saved[5:])} is saved in outputs/test" in line
    assert line.count("outputs/test") == 1
    shutil.rmtree(tmp_path / "photos")
    shutil.copytree(tmp_path / "kept", tmp_path / "photos")
    steps = int(saved[5:]) + 1
    again = train_together(
        tmp_path, *words, f"steps={steps}", code=VANISHING.split("from gan")[0], world=world
    )
    assert again.statuses == [0] * world, again.errors
