"""Several processes of one run: equal networks, and one end for all."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

from tests.helpers import SMALL
from tests.ranks import WIDTHS, train_together
from tests.streaming import save_images

REPOSITORY = Path(__file__).parent.parent

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
    assert ended.seconds < 60
    assert "ValueError: mine" in ended.errors[0]
    assert "ValueError: mine" in status_in(tmp_path)


def test_a_signal_to_any_process_saves_once_and_ends_all(tmp_path):
    code = AT + "at(Turns, 'play', 1, lambda: os.kill(os.getpid(), signal.SIGUSR1))"
    ended = train_together(tmp_path, "steps=9", code=code)
    assert ended.statuses == [138, 138]
    (line,) = ended.messages
    assert line.startswith("gan_cli: stopped by SIGUSR1: step 1 is saved in outputs/test")
    assert steps_in(tmp_path) == ["step-0000001"]


def test_an_error_between_steps_leaves_a_checkpoint(tmp_path):
    code = AT + "from gan_cli.evaluation.evaluation import Evaluation\n"
    code += "at(Evaluation, 'evaluate', 0, fail(KeyError('mine')))"
    ended = train_together(
        tmp_path, "steps=5", "every.evaluate=2", "metrics=fd_random", "metrics.count=64", code=code
    )
    assert ended.statuses == [1, 1]
    assert steps_in(tmp_path) == ["step-0000002"]


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


BROKEN = """
import os
from gan_cli.training.turns import Turns
from gan_cli.utils.errors import DataError

play = Turns.play

def broken(self, *arguments):
    if os.environ["RANK"] == "1":
        raise DataError("photos/7.png is missing")
    return play(self, *arguments)

Turns.play = broken
"""


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["imports=[broken]"], 5, "gan_cli: process 1 of 2: photos/7.png is missing"),
        (["steps=0"], 2, "gan_cli: steps: "),
    ],
)
def test_torchrun_ends_with_one_line_and_lists_the_status(words, status, line, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, "-m", "gan_cli.train", *SMALL, *WIDTHS, *words]
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(rf"exitcode +: {status} ", done.stderr)
    lines = [text for text in done.stderr.splitlines() if text.startswith("gan_cli:")]
    assert len(lines) == 1
    assert lines[0].startswith(line)


def test_processes_that_are_started_again_meet_in_the_store_of_the_first(tmp_path):
    """torchrun keeps its store, which has the addresses and the failure of those that ended."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    again = AT + (
        f"os.environ |= {{'MASTER_PORT': '{store.port}', 'TORCHELASTIC_USE_AGENT_STORE': 'True'}}\n"
        "os.environ['TORCHELASTIC_RESTART_COUNT'] = 'ATTEMPT'\n"
    )
    killed = "at(Run, 'write_log', 1, lambda: os.kill(os.getpid(), signal.SIGKILL))"
    first = train_together(
        tmp_path, "every.checkpoint=1", code=again.replace("ATTEMPT", "0") + killed
    )
    assert first.statuses == [1, -9]
    second = train_together(tmp_path, "every.checkpoint=1", code=again.replace("ATTEMPT", "1"))
    assert second.statuses == [0, 0], second.errors
    assert second.messages == []
