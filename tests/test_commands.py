"""The command as a user types it: in a process of its own, in an empty folder."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from gan_cli.config.command_line import expand_metrics
from tests.fuzz.outcome import outcome_of

REPOSITORY = Path(__file__).resolve().parent.parent
WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
QUICK = ("dataset=synthetic", "dataset.count=64", "batch_size=8", "metrics=none", *WIDTHS)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


def gan_train(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gan_cli.train", *words]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300
    )


def test_help_teaches_and_needs_no_torch(tmp_path):
    code = (
        "import sys; sys.argv = ['gan-train', '--help']\n"
        "from gan_cli.train import main\n"
        "main()\n"
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    for words in ("model: ", "loss: ", "wgan_gp", "dataset=folder", "run=NAME", "optimizer.lr"):
        assert words in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "sample", "fid"])
def test_version_is_that_of_gan_cli(command, tmp_path):
    words = [sys.executable, "-m", f"gan_cli.{command}", "--version"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "gan-cli 0.2.0\n", "")


@pytest.mark.parametrize("command", ["train", "sample", "fid"])
@pytest.mark.parametrize("flags", ["--help", "--cfg all"])
def test_what_only_prints_ends_quietly_with_its_pipe(command, flags, tmp_path):
    piped = f"{shlex.quote(sys.executable)} -m gan_cli.{command} {flags} | true"
    done = subprocess.run(
        ["bash", "-c", f"{piped}; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 128 + signal.SIGPIPE


def test_cfg_job_prints_the_whole_run(tmp_path):
    done = gan_train(tmp_path, "--cfg", "job", "loss=wgan_gp", "steps=7")
    assert done.returncode == 0, done.stderr
    assert "steps: 7" in done.stdout
    assert "gradient_penalty" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model=dcgn"], "model: unknown model 'dcgn'; did you mean 'dcgan'?"),
        (["loss=wgan-gp", "modl=x"], "loss: unknown loss 'wgan-gp'; did you mean 'wgan_gp'?"),
        (["loss=null"], "loss: null chooses nothing; leave it out, or type ~loss"),
        (["stepz=3"], "stepz: unknown key 'stepz'; did you mean 'steps'?"),
        (["steps=1.5"], "steps: expected a whole number, got 1.5"),
        (["device=cuda"], "device.accelerator: no 'cuda' device here"),
        (["hydra.run.dir=mine"], "hydra.run.dir: is not read; use run=NAME"),
        (["loss=["], "cannot read 'loss=['"),
        (["dataset=folder"], "dataset.path"),
        (["dataset=folder", "dataset.path=nowhere"], "nowhere"),
        (["dataset=mnist", "dataset.root=nowhere"], "dataset.root"),
    ],
)
def test_bad_input_gets_one_clear_line(words, told, tmp_path, monkeypatch):
    if "device=cuda" in words:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device")
    monkeypatch.chdir(tmp_path)
    done = outcome_of(import_module("gan_cli.train").main, words)
    assert done.status == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("outputs/*"))
    assert not (tmp_path / "mine").exists()


def test_bad_input_ends_the_process_with_one_line(tmp_path):
    done = gan_train(tmp_path, "steps=1e3")
    assert done.returncode == 2
    assert done.stderr == "gan_cli: steps: expected a whole number, got 1000.0\n"


def test_check_stops_before_anything_is_made(tmp_path):
    done = gan_train(tmp_path, "check=true", "dataset=cifar10")
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_a_sweep_makes_one_folder_a_job(tmp_path):
    sweep = ("-m", "loss=hinge,lsgan", "seed=0,1", "hydra.sweep.dir=outputs/sweep")
    done = gan_train(tmp_path, *QUICK, "steps=1", *sweep)
    assert done.returncode == 0, done.stderr
    cards = [json.loads(path.read_text()) for path in tmp_path.glob("outputs/sweep/*/run.json")]
    seen = {(c["config"]["loss"]["adversarial"]["name"], c["config"]["seed"]) for c in cards}
    assert seen == {(loss, seed) for loss in ("hinge", "least_squares") for seed in (0, 1)}


def test_a_failing_job_does_not_end_the_sweep(tmp_path):
    sweep = ("-m", "steps=0,1", "hydra.sweep.dir=outputs/sweep")
    done = gan_train(tmp_path, *QUICK, *sweep)
    assert done.returncode != 0
    assert "steps: must be at least 1" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list(tmp_path.glob("outputs/sweep/steps=1/run.json"))) == 1
    job = json.loads((tmp_path / "outputs/sweep/steps=0/job.json").read_text())
    assert "steps: must be at least 1" in job["error"]


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_trains_on():
    """A test that fails leaves no training behind, which would slow down all others."""
    yield
    while STARTED:
        STARTED.pop().kill()


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gan_cli.train", "run=x", "steps=100000", *QUICK, *words]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    STARTED.append(process)
    metrics = folder / "outputs" / "x" / "metrics.jsonl"
    for _ in range(600):
        if metrics.exists() and len(metrics.read_text().splitlines()) > 3:
            return process
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError("no step within a minute")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])  # test_stopping.py has all of them
def test_a_signal_saves_and_exits_with_its_status(name, tmp_path):
    if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as under nohup, and by what is started from here")
    process = start(tmp_path, "every.log=1")
    process.send_signal(getattr(signal, name))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    assert f"stopped by {name}" in told
    assert "Traceback" not in told
    card = json.loads((tmp_path / "outputs/x/run.json").read_text())
    assert (tmp_path / f"outputs/x/checkpoints/step-{card['step']:07d}.pt").exists()


@pytest.mark.slow
def test_kill_9_loses_only_the_steps_since_the_last_checkpoint(tmp_path):
    process = start(tmp_path, "every.log=1", "every.checkpoint=2")
    process.kill()
    process.communicate(timeout=60)
    saved = max((tmp_path / "outputs/x/checkpoints").glob("step-*.pt"))
    step = int(saved.stem[5:])
    words = ("run=x", f"steps={step + 2}", *QUICK, "every.log=1", "every.checkpoint=2")
    done = gan_train(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert f"resumes at step {step}" in done.stdout
    lines = (tmp_path / "outputs/x/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, step + 3))


@pytest.mark.slow
def test_one_process_at_a_time_in_a_folder(tmp_path):
    process = start(tmp_path, "every.log=1")
    try:
        done = gan_train(tmp_path, "run=x", *QUICK)
        assert done.returncode == 2
        assert "another process is training" in done.stderr
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_own_network_loss_and_dataset(tmp_path):
    """Exactly the files and the commands that the documentation shows."""
    page = (REPOSITORY / "docs" / "extending.md").read_text()
    blocks = re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", page, re.DOTALL)
    conf = ("conf/model/flat.yaml", "conf/loss/mean_gap.yaml", "conf/dataset/rows.yaml")
    assert [name for name, _ in blocks][:4] == ["mine.py", *conf]
    for name, text in blocks[:4]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    words = shlex.split(re.search(r"^gan-train ('imports=.*)$", page, re.MULTILINE)[1])
    done = gan_train(tmp_path, *words, "run=own", "steps=2", "every.log=1", "batch_size=4")
    assert done.returncode == 0, done.stderr
    assert "discriminator/gap" in (tmp_path / "outputs/own/metrics.jsonl").read_text()
    shown = re.search(r"^gan-sample ('imports=.*) run=RUN$", page, re.MULTILINE)[1]
    command = [sys.executable, "-m", "gan_cli.sample", *shlex.split(shown), "run=own"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs/own/generated/step-0000002/grid.png").exists()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("metrics.compute=[fd,kd]", ["~metrics.compute", "metrics.compute={fd: {},kd: {}}"]),
        ("metrics.compute=['fd', kd]", ["~metrics.compute", "metrics.compute={fd: {},kd: {}}"]),
        ("metrics.compute=[]", ["~metrics.compute", "metrics.compute={}"]),
        ("metrics.compute={fd: {}}", ["metrics.compute={fd: {}}"]),
        ("loss.betas=[0, 0.9]", ["loss.betas=[0, 0.9]"]),
    ],
)
def test_a_list_of_metrics_is_the_mapping_of_the_config(word, expected):
    assert expand_metrics(word) == expected
