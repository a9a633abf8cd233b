"""Loader processes: that die, that cannot start, and that end with the training process."""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch

from gan_cli.utils.errors import ConfigError, DataError
from tests.streaming import Lazy, read_all

REPOSITORY = Path(__file__).parent.parent


def kill_once(marker):
    def fault(index):
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return fault


def test_a_killed_worker_is_restarted_once_without_loss(tmp_path, caplog):
    wanted = read_all(Lazy(), workers=1)
    found = read_all(Lazy(kill_once(tmp_path / "killed")), workers=1)
    assert all(torch.equal(a["real"], b["real"]) for a, b in zip(wanted, found, strict=True))
    assert "memory runs out" in caplog.text


@pytest.mark.slow  # PyTorch looks for dead workers every 5 seconds
@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda index: os.kill(os.getpid(), signal.SIGKILL), "was killed"),
        (lambda index: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
        (lambda index: os._exit(7), "status 7"),
    ],
)
def test_workers_that_die_again_are_a_data_error(end, words):
    with pytest.raises(DataError, match=rf"device\.workers: .*{words}.*device\.workers=0"):
        read_all(Lazy(end), workers=2)
    assert not active_children()


FEW_FILES = """
import resource, sys
from tests.streaming import *
from gan_cli.utils.errors import ConfigError
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
try:
    print(len(read_all(Lazy(), 4)), "batches")
except ConfigError as error:
    print(error)
"""


def with_few_files(limit):
    """What is printed when four workers read with a limit on open files."""
    done = subprocess.run(
        [sys.executable, "-c", FEW_FILES, str(limit)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Traceback" not in done.stderr
    return done.stdout


def test_too_low_a_limit_on_open_files_is_refused_and_the_advised_one_suffices():
    refused = with_few_files(24)
    assert "device.workers=0" in refused
    advised = re.search(r"ulimit -n (\d+)", refused)[1]
    assert 24 < int(advised) < 100
    assert with_few_files(int(advised)) == "6 batches\n"


def test_a_soft_limit_on_open_files_is_raised(monkeypatch):
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (20, 10_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    read_all(Lazy(), workers=2)
    assert len(limits) == 1
    assert 20 < limits[0][0] < limits[0][1] == 10_000


def test_workers_that_cannot_be_started_leave_none_behind(monkeypatch):
    from multiprocessing.process import BaseProcess

    start, started = BaseProcess.start, []

    def limited(process):
        if len(started) == 2:
            raise OSError(11, "Resource temporarily unavailable")
        started.append(process)
        start(process)

    monkeypatch.setattr(BaseProcess, "start", limited)
    with pytest.raises(ConfigError, match=r"device\.workers: 4 .* \(.*temporarily unavailable"):
        read_all(Lazy(), workers=4)
    assert len(started) == 2
    assert not active_children()


def test_more_workers_than_cores_are_reported_once_in_words(caplog, monkeypatch, recwarn):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    read_all(Lazy(), workers=2)
    assert not caplog.records
    read_all(Lazy(), workers=3)
    (record,) = caplog.records
    assert "device.workers: 3 loader processes share 2 CPU cores" in record.message
    assert "device.workers=2" in record.message
    assert not [warning for warning in recwarn if "worker" in str(warning.message)]


@pytest.mark.slow
def test_workers_end_at_once_with_a_killed_parent_and_leave_its_lock(tmp_path):
    program = f"""
from pathlib import Path
from multiprocessing import active_children
from tests.streaming import *
from gan_cli.utils.errors import ConfigError
from gan_cli.training.session import locked
import time
with locked(Path({str(tmp_path / "run")!r})):
    feed = feed_of(Lazy(), workers=2)
    next(feed.batches(0))
    print(*[child.pid for child in active_children()], flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(number) for number in parent.stdout.readline().split()]
        parent.kill()
    assert len(workers) == 2
    from gan_cli.training.session import locked

    with locked(tmp_path / "run"):  # at once
        pass
    deadline = time.monotonic() + 2
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except FileNotFoundError:
        return False
