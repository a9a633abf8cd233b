"""What gan-train prints, in the forms of the key log, and log.txt, which has all of it."""

import io
import json
import logging
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from gan_cli.training import progress
from gan_cli.training.log_file import LogFile, recorded
from gan_cli.training.progress import Display
from gan_cli.utils.errors import NonFiniteError, StorageError
from tests.helpers import SMALL

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "
WORDS = [
    *(word for word in SMALL if not word.startswith("every")),
    *("model=mlp", "every.log=1", "every.preview=0", "every.evaluate=0", "every.checkpoint=0"),
    *("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
]


def train(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, *WORDS, *words)


def sweep(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", *(word for word in WORDS if word != "run=test"), *words)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gan_cli.train", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def objects(text: str) -> list[dict]:
    """The objects of lines of strict JSON."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_piped_lines_have_the_time_and_are_those_of_the_log(tmp_path):
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    steps = [line for line in lines if " step " in line]
    assert len(steps) == 2
    for line, step in zip(steps, (1, 2), strict=True):
        assert re.match(rf"{STAMP}step {step}/2  0:\d\d elapsed  0:\d\d left  \d+ images/s", line)
    assert re.match(f"{STAMP}outputs/test starts: ", lines[0])
    assert (tmp_path / "outputs/test/log.txt").read_text() == done.stdout


def test_a_resumed_run_continues_its_log(tmp_path):
    first = train(tmp_path, "every.checkpoint=2")
    second = train(tmp_path, "every.checkpoint=2", "steps=4")
    assert "resumes at step 2" in second.stdout
    assert (tmp_path / "outputs/test/log.txt").read_text() == first.stdout + second.stdout


def test_json_is_one_object_a_line(tmp_path):
    done = train(tmp_path, "log=json", "metrics=fd_random", "metrics.count=64", "every.evaluate=2")
    assert done.returncode == 0, done.stderr
    found = objects(done.stdout)
    events = [each["event"] for each in found]
    assert events[0] == "start"
    assert events[-1] == "end"
    assert set(events) == {"start", "progress", "evaluation", "warning", "end"}
    assert all(isinstance(each["time"], float) for each in found)
    progress = [each for each in found if each["event"] == "progress"]
    assert [each["step"] for each in progress] == [1, 2]
    assert progress[1]["steps"] == 2
    assert progress[1]["elapsed"] >= progress[0]["elapsed"] > 0
    assert progress[1]["values"]["generator/adversarial"] > 0
    assert progress[1]["images_per_second"] > 0
    (scores,) = (each for each in found if each["event"] == "evaluation")
    assert scores["step"] == 2
    assert scores["values"]["fd_random"] > 0
    text = (tmp_path / "outputs/test/log.txt").read_text()
    assert re.search(f"^{STAMP}step 2/2 ", text, re.MULTILINE)
    assert not re.search("^{", text, re.MULTILINE)


def test_quiet_prints_warnings_alone(tmp_path):
    done = train(tmp_path, "log=quiet", "batch_size=100")
    assert (done.returncode, done.stdout) == (0, "")
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("batch_size: ")
    log = (tmp_path / "outputs/test/log.txt").read_text()
    assert re.search(f"^{STAMP}{re.escape(warning)}$", log, re.MULTILINE)
    assert "outputs/test: 2 steps done" in log
    assert "next: " in log


@pytest.mark.parametrize(
    ("mode", "start"), [("json", '{"time": '), ("quiet", ""), ("text", "the config is valid\n")]
)
def test_checks_answer_in_the_same_form(mode, start, tmp_path):
    done = train(tmp_path, f"log={mode}", "check=true")
    assert done.returncode == 0
    assert done.stdout.startswith(start)
    assert bool(done.stdout) == bool(start)
    if mode == "json":
        (found,) = objects(done.stdout)
        assert (found["event"], found["text"]) == ("valid", "the config is valid")
        assert found["forecast"]["steps"] == 2


def test_a_sweep_in_json_has_nothing_else_on_stdout(tmp_path):
    done = sweep(tmp_path, "log=json", "seed=1,2", "hydra.sweep.dir=there")
    assert done.returncode == 0, done.stderr
    found = objects(done.stdout)
    assert [each["event"] for each in found].count("end") == 2
    assert found[-1]["event"] == "sweep"
    assert found[-1]["report"].endswith("there/index.html")


def test_a_quiet_sweep_prints_nothing(tmp_path):
    done = sweep(tmp_path, "log=quiet", "seed=1,2", "hydra.sweep.dir=there")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_unknown_form_is_refused(tmp_path):
    done = train(tmp_path, "log=jsn")
    assert done.returncode == 2
    assert "log: " in done.stderr
    assert "json" in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_the_error_that_ends_a_run_is_in_its_log(tmp_path):
    wild = ("optimizer.lr=1e30", "steps=20", "log=json")
    done = train(tmp_path, *wild)
    assert done.returncode not in (0, 2)
    error = objects(done.stdout)[-1]
    assert (error["event"], error["status"]) == ("error", done.returncode)
    assert done.stderr.strip() == f"gan_cli: {error['text']}"
    assert f"gan_cli: {error['text']}" in (tmp_path / "outputs/test/log.txt").read_text()


def test_a_refused_run_leaves_no_log(tmp_path):
    with pytest.raises(NonFiniteError), recorded(tmp_path):
        raise NonFiniteError("x")
    assert not list(tmp_path.iterdir())


def test_log_records_and_warnings_are_kept_from_before_the_start_on(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with recorded(tmp_path) as file, warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("gan_cli.data").warning("images are %s", "small")
        assert not (tmp_path / "log.txt").exists()
        file.open()
        warnings.showwarning("odd", UserWarning, "file.py", 1, io.StringIO())
    logging.getLogger("gan_cli").warning("later")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [re.sub(STAMP, "", line) for line in lines] == ["images are small", "UserWarning: odd"]


def test_a_crash_is_in_the_log_with_its_traceback(tmp_path):
    def crash() -> None:
        with recorded(tmp_path) as file:
            file.open()
            raise ZeroDivisionError("of a network")

    with pytest.raises(ZeroDivisionError):
        crash()
    text = (tmp_path / "log.txt").read_text()
    assert "Traceback" in text
    assert text.endswith("ZeroDivisionError: of a network\n")


def test_a_log_that_cannot_be_written_is_an_error_of_storage(tmp_path):
    file = LogFile(tmp_path / "missing")
    file.write("waits")
    with pytest.raises(StorageError, match=r"log\.txt"):
        file.open()
    logging.getLogger("gan_cli").addHandler(file)
    try:
        logging.getLogger("gan_cli").warning("no error of its own")
    finally:
        logging.getLogger("gan_cli").removeHandler(file)


def test_a_folder_in_place_of_the_log_is_set_aside(tmp_path):
    (tmp_path / "log.txt").mkdir()
    with recorded(tmp_path) as file:
        file.open()
    assert (tmp_path / "log.txt").is_file()
    assert (tmp_path / "log.txt.damaged").is_dir()


def test_the_bar_of_a_terminal_shows_the_elapsed_time(tmp_path, monkeypatch):
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=150)
    monkeypatch.setattr(progress, "console", terminal)
    file = LogFile(tmp_path)
    file.open()
    display = Display(10, 0, silent=False, file=file)
    display.began -= 65
    display.show(5, 8, {"generator/adversarial": 0.5})
    display.print("a finding")
    display.close()
    assert re.search(r"step 5/10 .*0:00:0\d\S* \S*elapsed.* \S*left", screen.getvalue())
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert re.match(rf"{STAMP}step 5/10  1:05 elapsed  1:05 left  ", lines[0])
    assert re.fullmatch(f"{STAMP}a finding", lines[1])
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", screen.getvalue())
    assert "a finding" in plain
    assert not re.search(f"{STAMP}a finding", plain)
