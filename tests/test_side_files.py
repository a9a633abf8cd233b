"""Damaged and stray files in a run folder do not keep the run from being resumed."""

import errno
import fcntl
import json
import os
import subprocess
import sys

import pytest

from gan_cli.checkpoints.choice import run_folder
from gan_cli.checkpoints.files import Checkpoints, load, save
from gan_cli.report.jobs import read_jobs
from gan_cli.report.records import Record
from gan_cli.training.logger import Logger
from gan_cli.training.session import locked
from gan_cli.utils.errors import ConfigError, StorageError
from tests.helpers import small, trained
from tests.test_commands import environment

SAVED = (
    *("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
    *("every.checkpoint=1", "keep_last=2"),
)
DAMAGES = {
    "empty": b"",
    "half": b'{"status": "runn',
    "not UTF-8": b'{"status": "\xff\xfe"}',
    "a list": b"[1, 2]",
    "deep": b"[" * 100_000,
}


def damage(path, how):
    path.unlink(missing_ok=True)
    if how == "folder":
        path.mkdir()
    else:
        path.write_bytes(DAMAGES[how])


@pytest.mark.parametrize("how", [*DAMAGES, "folder"])
def test_a_damaged_run_json_is_set_aside(how, tmp_path, caplog):
    damage(tmp_path / "run.json", how)
    Logger(tmp_path).update_run_json({"status": "running"})
    assert json.loads((tmp_path / "run.json").read_text()) == {"status": "running"}
    aside = tmp_path / "run.json.damaged"
    assert aside.is_dir() if how == "folder" else aside.read_bytes() == DAMAGES[how]
    assert caplog.text.count("run.json is damaged; it is now run.json.damaged") == 1


def test_nothing_that_was_set_aside_is_overwritten(tmp_path):
    for how in ("half", "empty"):
        damage(tmp_path / "run.json", how)
        Logger(tmp_path).update_run_json({})
    assert (tmp_path / "run.json.damaged").read_bytes() == DAMAGES["half"]
    assert (tmp_path / "run.json.damaged-2").read_bytes() == DAMAGES["empty"]


ROWS = b'{"step": 1, "a": 0.5}\n{"step": 2, "a": 0.25}\n'
TAILS = [
    *(b"\xff\xfe\n\x00\x01\n", b"5\n", b"[1]\n", b'{"a": 1}\n', b'{"step": "x"}\n'),
    *(b'{"step": null}\n', b'{"step": 1.5}\n', b"[" * 100_000 + b"\n"),
]


@pytest.mark.parametrize("tail", TAILS, ids=range(len(TAILS)))
def test_lines_that_cannot_be_read_are_left_out_with_a_line(tail, tmp_path, caplog):
    (tmp_path / "metrics.jsonl").write_bytes(ROWS + tail)
    assert Record.read(tmp_path).series == {"a": [(1, 0.5), (2, 0.25)]}
    Logger(tmp_path, resumed_at=2)
    assert (tmp_path / "metrics.jsonl").read_bytes() == ROWS
    assert (tmp_path / "metrics.jsonl.damaged").read_bytes() == ROWS + tail
    assert caplog.text.count("continues with the lines that can be read") == 1


@pytest.mark.parametrize("tail", [b"", b'{"step": 3, "a', b'{"step": 3, "a": 1}\n', b"\xff"])
def test_the_end_of_a_killed_run_is_no_damage(tail, tmp_path, caplog):
    (tmp_path / "metrics.jsonl").write_bytes(ROWS + tail)
    Logger(tmp_path, resumed_at=2)
    assert (tmp_path / "metrics.jsonl").read_bytes() == ROWS
    assert not caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_folder_in_place_of_the_log_is_set_aside(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    logger = Logger(tmp_path)
    logger.scalars(1, {"a": 0.5})
    logger.close()
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["a"] == 0.5


def test_a_job_whose_record_is_damaged_is_left_out_of_the_sweep(tmp_path):
    for number, content in enumerate((b'{"job": 0}', b'{"job', b'{"job": null}')):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "job.json").write_bytes(content)
    assert [job.folder.name for job in read_jobs(tmp_path)] == ["0"]


# ---- The folder of checkpoints


STRAYS = ("step-2 (copy).pt", "step-2.pt", "step-0000002 (1).pt", "step-x.pt", "step-²°.pt", "a.pt")


def test_stray_files_are_no_checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for name in STRAYS:
        (tmp_path / name).write_bytes(b"x")
    assert checkpoints.newest() is None
    checkpoints.save(1, {"step": 1, "networks": {}})
    checkpoints.save(2, {"step": 2, "networks": {}})
    assert checkpoints.steps() == [2]
    assert {path.name for path in tmp_path.iterdir()} == {*STRAYS, "step-0000002.pt"}


def test_a_folder_named_as_a_checkpoint_is_passed_over(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"step": 1, "networks": {}})
    for step in (2, 0):
        checkpoints.path(step).mkdir()
    assert checkpoints.latest()["step"] == 1
    checkpoints.save(1, {"step": 1, "networks": {}})
    assert checkpoints.path(0).is_dir()


def test_new_checkpoints_are_kept_and_damaged_ones_set_aside(tmp_path, caplog):
    run = trained(small(*SAVED, "steps=4", "keep_last=4"), tmp_path)
    for step in (3, 4):
        run.checkpoints.path(step).write_bytes(b"damaged")
    folder = tmp_path / "checkpoints"
    run = trained(small(*SAVED, "steps=4", "every.checkpoint=3", "keep_last=1"), tmp_path)
    assert run.step == 4
    assert load(run.checkpoints.path(4))["step"] == 4
    assert (folder / "step-0000003.pt.damaged").read_bytes() == b"damaged"
    assert "step-0000004.pt is damaged; it is now step-0000004.pt.damaged" in caplog.text


def test_a_checkpoint_behind_damaged_ones_is_not_deleted(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_last=1)
    for step in (5, 6):
        checkpoints.path(step).write_bytes(b"damaged")
    checkpoints.save(2, {"step": 2, "networks": {}})
    assert checkpoints.latest()["step"] == 2


def test_checkpoints_that_cannot_be_listed_are_an_error(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", refuse)
    with pytest.raises(StorageError, match=r"checkpoints cannot be read \(Permission denied\)"):
        Checkpoints(tmp_path / "checkpoints").newest()


def test_a_file_in_place_of_the_checkpoints_is_an_error(tmp_path):
    (tmp_path / "checkpoints").write_text("x")
    with pytest.raises(StorageError, match="cannot be read"):
        Checkpoints(run_folder(str(tmp_path)) / "checkpoints").newest()


DROP = (
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="setpriv")
def test_the_log_of_a_run_whose_checkpoints_cannot_be_read_is_kept(tmp_path):
    words = ("run=x", "dataset=synthetic", "dataset.count=8", "batch_size=4", "steps=1", *SAVED)
    drop = ("setpriv", *DROP) if os.getuid() == 0 else ()
    command = [*drop, sys.executable, "-m", "gan_cli.train", *words]

    def call():
        return subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
        )

    assert call().returncode == 0
    log = (tmp_path / "outputs/x/metrics.jsonl").read_bytes()
    (tmp_path / "outputs/x/checkpoints").chmod(0)
    done = call()
    (tmp_path / "outputs/x/checkpoints").chmod(0o755)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "checkpoints cannot be read (Permission denied)" in done.stderr
    assert (tmp_path / "outputs/x/metrics.jsonl").read_bytes() == log


# ---- The lock


def test_the_target_of_a_linked_lock_keeps_its_content(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "thesis.txt")
    with locked(tmp_path / "run"):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_lock_that_another_process_holds_is_a_config_error(tmp_path):
    with (
        locked(tmp_path / "run"),
        pytest.raises(ConfigError, match="another process is training"),
        locked(tmp_path / "run"),
    ):
        pass


def test_a_file_system_without_locks_is_trained_on_with_a_warning(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "run"):
        (tmp_path / "run" / "a").touch()
    assert "cannot be locked (No locks available); make sure that no other process" in caplog.text


def test_a_folder_in_place_of_the_lock_is_one_line(tmp_path):
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"\.lock"), locked(tmp_path / "run"):
        pass


def test_saving_over_a_folder_is_one_line(tmp_path):
    (tmp_path / "best.pt").mkdir()
    with pytest.raises(StorageError, match=r"best\.pt") as caught:
        save(tmp_path / "best.pt", {"step": 1, "networks": {}})
    assert "\n" not in str(caught.value)
