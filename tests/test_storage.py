"""The commands where files cannot be written, nobody reads the output, or a process is killed."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.test_commands import QUICK, environment

pytestmark = pytest.mark.slow

FULL = Path("/dev/full")
NO_WRITING = (  # also root obeys the permissions of files then
    *("setpriv", "--bounding-set=-dac_override,-dac_read_search"),
    "--inh-caps=-dac_override,-dac_read_search",
)
SCORE = ("device=cpu", "features=random", "count=40")


def command(name: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"gan_cli.{name}", *words]


def run(
    folder: Path, words: list[str], shell: str = "", prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Runs a command in `folder`, with `shell` after it, such as a redirection."""
    line = f"{shlex.join([*prefix, *words])} {shell}"
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment(), capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("gan_cli: "))
    assert "Traceback" not in done.stderr
    return line


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with outputs/x, a run of one step."""
    folder = tmp_path_factory.mktemp("trained")
    done = run(folder, command("train", *QUICK, "steps=1", "run=x"))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def home(trained, tmp_path) -> Path:
    """A copy of `trained`."""
    return Path(shutil.copytree(trained, tmp_path / "home"))


def test_an_output_folder_that_is_a_file(tmp_path):
    (tmp_path / "outputs").touch()
    for more in ((), ("-m", "seed=1,2")):
        done = run(tmp_path, command("train", *QUICK, "steps=1", *more))
        assert done.returncode == 4
        assert "outputs is a file, not a folder; move it away" in one_line(done)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_a_folder_that_may_not_be_written(home):
    shutil.copytree(home / "outputs", home / "locked" / "outputs")
    saved = [home / "locked" / "outputs" / "x", home / "locked" / "outputs", home / "locked"]
    for folder in saved:
        folder.chmod(0o555)
    try:
        for words in (
            command("train", *QUICK, "steps=1", "run=y"),
            command("train", *QUICK, "steps=1", "-m", "seed=1,2"),
            command("sample", "run=x", "device=cpu"),
            command("fid", "run=x", *SCORE),
            command("fid", "run=x", *SCORE, "output=card.json"),
        ):
            done = run(home / "locked", words, prefix=NO_WRITING)
            assert done.returncode == 4, words
            assert "cannot write" in one_line(done)
            assert "(Permission denied); allow it, or work in another folder" in one_line(done)
    finally:
        for folder in saved:
            folder.chmod(0o755)


def test_files_that_may_not_grow(home):
    """As on a full disk; what is written stays sound, and the same command goes on."""
    before = (home / "outputs/x/run.json").read_bytes()
    words = command("sample", "run=x", "device=cpu", "output=drawn", "format=png,npz")
    done = run(home, ["ulimit"], f"-f 2 && exec {shlex.join(words)}")
    assert done.returncode == 4
    assert "cannot write drawn/samples.npz (File too large); raise the limit" in one_line(done)
    assert not (home / "drawn").exists()
    assert (home / "outputs/x/run.json").read_bytes() == before
    assert run(home, words).returncode == 0
    assert len(list((home / "drawn").glob("*.png"))) == 64


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_training_goes_on_without_its_output(tmp_path):
    for i, shell in enumerate((">&- 2>&- <&-", ">/dev/full 2>&1", "| head -1")):
        done = run(tmp_path, command("train", *QUICK, "steps=2", f"run=r{i}"), shell)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        entries = json.loads((tmp_path / f"outputs/r{i}/run.json").read_text())
        assert entries["status"] == "finished"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sample", ("run=x", "device=cpu", "output=drawn")),
        ("train", ("--help",)),
        ("sample", ("--cfg", "job")),
        ("fid", ("compare", "card.json")),
    ],
)
def test_output_that_cannot_be_written(name, words, home):
    card = {"card": 1, "values": {"fd": 1}, "lower_is_better": {}, "metrics": {"fd": {}}}
    (home / "card.json").write_text(json.dumps({**card, "protocol": {}, "subject": {}}))
    done = run(home, command(name, *words), ">/dev/full")
    assert done.returncode == 4
    assert "cannot write to standard output (No space left on device)" in one_line(done)
    assert len(done.stderr.splitlines()) == 1
    assert "drawn" not in " ".join(words) or (home / "drawn" / "grid.png").is_file()


def kill_during(folder: Path, words: list[str], begun) -> None:
    """Starts a command, and kills it as soon as `begun` returns true."""
    process = subprocess.Popen(
        words, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(20_000):
        if begun() or process.poll() is not None:
            break
        time.sleep(0.002)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL, "it had ended before"


@pytest.mark.parametrize("where", ["drawn", "made/before", None])
def test_the_same_command_goes_on_after_a_kill(where, home):
    output = home / (where or "outputs/x/generated/step-0000001")
    if where == "made/before":
        output.mkdir(parents=True)
    words = ("run=x", "device=cpu", "count=3000", "format=png")
    words += () if where is None else (f"output={where}",)
    kill_during(home, command("sample", *words), lambda: any(output.glob(".*/seed-00050.png")))
    assert not list(output.glob("*.png"))
    done = run(home, command("sample", *words))
    assert done.returncode == 0, done.stderr
    assert len(os.listdir(output)) == 3000
    for path in list(output.iterdir())[::500]:
        assert np.asarray(Image.open(path)).shape == (32, 32, 3)
    if where is not None:
        done = run(home, command("sample", *words))
        assert done.returncode == 2
        assert "exists and is not empty" in one_line(done)


def test_scores_are_not_lost_where_the_card_cannot_be_written(home):
    """The statistics are not kept then, or the same command would be refused."""
    np.savez(home / "a.npz", images=np.random.default_rng(0).integers(0, 255, (50, 8, 8, 3), "u1"))
    words = ["real=a.npz", "fake=a.npz", *SCORE, "save=s.npz", "output=card.json"]
    code = (
        "import gan_cli.utils.errors as errors, gan_cli.evaluation.card as card\n"
        "def fail(path, _): raise errors.StorageError(f'cannot write {path} (for a test)')\n"
        "card.write_json = fail\nfrom gan_cli.fid import main\nmain()"
    )
    done = run(home, [sys.executable, "-c", code, *words])
    assert done.returncode == 4
    assert "the values are: fd_random " in one_line(done)
    assert not (home / "s.npz").exists()
    done = run(home, command("fid", *words))
    assert done.returncode == 0, done.stderr
    assert {"s.npz", "card.json"} <= set(os.listdir(home))
