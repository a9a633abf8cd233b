"""Streaming from files that vanish or break, and from loader processes that die."""

import itertools
import logging
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.sets import datasets
from gan_cli.data.spec import image_spec
from gan_cli.utils.errors import ConfigError, DataError

REPOSITORY = Path(__file__).parent.parent
CPU = torch.device("cpu")


def save_images(folder, count=12, size=16):
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(count):
        pixels = random.integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


def lazy_folder(path, monkeypatch, **options):
    """A folder data set that decodes its images at every access, as large ones do."""
    monkeypatch.setattr("gan_cli.data.files.survey.KEPT_BYTES", 0)
    dataset = datasets.build({"name": "folder", "path": str(path), **options}, where="dataset")
    assert dataset.tensors() is None
    return dataset


def feed_of(dataset, workers=1, batch_size=4, resident=False, world=1):
    return open_feed(
        dataset,
        batch_size=batch_size,
        seed=0,
        rank=0,
        world=world,
        device=CPU,
        resident=resident,
        resident_gib=1,
        workers=workers,
    )


def read_all(dataset, workers):
    feed = feed_of(dataset, workers)
    try:
        return list(itertools.islice(feed.batches(0), 6))
    finally:
        feed.close()


def delete(file):
    file.unlink()


def truncate(file):
    file.write_bytes(file.read_bytes()[:60])


def empty(file):
    file.write_bytes(b"")


def replace_by_text(file):
    file.write_text("no image")


def replace_by_another_image(file):
    Image.new("RGB", (16, 16), "red").save(file)


def replace_by_folder(file):
    file.unlink()
    file.mkdir()


DAMAGES = [delete, truncate, empty, replace_by_text, replace_by_another_image, replace_by_folder]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_after_the_start_is_named(damage, workers, tmp_path, monkeypatch):
    dataset = lazy_folder(save_images(tmp_path / "photos"), monkeypatch)
    damage(tmp_path / "photos/07.png")
    with pytest.raises(DataError, match=r"photos/07\.png (cannot be read any more|has changed)"):
        read_all(dataset, workers)
    assert not active_children()


def zip_of(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


@pytest.mark.parametrize("change", ["deleted", "truncated", "other images", "no archive"])
def test_an_archive_that_is_damaged_after_the_start_is_named(change, tmp_path, monkeypatch):
    archive = zip_of(save_images(tmp_path / "photos"), tmp_path / "photos.zip")
    dataset = lazy_folder(archive, monkeypatch)
    if change == "deleted":
        archive.unlink()
    elif change == "truncated":
        archive.write_bytes(archive.read_bytes()[:2000])
    elif change == "other images":
        zip_of(save_images(tmp_path / "others", count=2, size=12), archive)
    else:
        archive.write_text("text")
    with pytest.raises(DataError, match=r"photos\.zip: \d\d\.png (cannot be read|has changed)"):
        read_all(dataset, workers=1)


def test_a_resident_feed_does_not_miss_its_files(tmp_path, monkeypatch):
    dataset = lazy_folder(save_images(tmp_path / "photos"), monkeypatch)
    feed = feed_of(dataset, resident=True)
    shutil.rmtree(tmp_path / "photos")
    assert len(list(itertools.islice(feed.batches(0), 5))) == 5


class Lazy:
    """Samples that know their index; `fault` is called with the index of each."""

    hflip, spec = False, image_spec((3, 8, 8))

    def __init__(self, fault=lambda index: None, count=20):
        self.fault, self.count = fault, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.fault(index)
        return {"real": torch.full((3, 8, 8), index, dtype=torch.uint8)}

    def tensors(self):
        return None


def test_an_error_of_a_data_set_names_the_sample_and_logs_where_it_happened(caplog):
    def fault(index):
        if index == 3:
            import a_module_that_is_missing  # noqa: F401

    with pytest.raises(DataError, match=r"sample 3 .*a_module_that_is_missing"):
        read_all(Lazy(fault), workers=1)
    assert "in fault" in caplog.text


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


def test_batches_read_ahead_are_the_same_and_in_order():
    wanted = read_all(Lazy(), workers=1)
    feed = feed_of(Lazy())
    batches = feed.batches(0)
    found = []
    for ahead in (2, 0, 3, 1, 0, 0):
        feed.prepare(ahead)
        found.append(next(batches))
    feed.close()
    assert all(torch.equal(a["real"], b["real"]) for a, b in zip(wanted, found, strict=True))


def test_what_was_read_ahead_is_kept_when_the_files_vanish(tmp_path, monkeypatch):
    dataset = lazy_folder(save_images(tmp_path / "photos"), monkeypatch)
    feed = feed_of(dataset, workers=0)
    batches = feed.batches(0)
    feed.prepare(2)
    shutil.rmtree(tmp_path / "photos")
    next(batches), next(batches)
    with pytest.raises(DataError, match="No such file"):
        feed.prepare(1)


FEW_FILES = """
import resource, sys
from tests.test_streaming import *
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


@pytest.mark.parametrize(
    ("batch", "world", "words"),
    [(20, 1, None), (21, 1, "some of them twice"), (20, 2, "more than once"), (10, 2, None)],
)
def test_a_batch_larger_than_the_data_is_reported(batch, world, words, caplog):
    with caplog.at_level(logging.WARNING):
        feed_of(Lazy(), resident=True, batch_size=batch, world=world)
    assert (words in caplog.text) if words else not caplog.text


@pytest.mark.slow
def test_workers_end_at_once_with_a_killed_parent_and_leave_its_lock(tmp_path):
    program = f"""
from pathlib import Path
from multiprocessing import active_children
from tests.test_streaming import *
from gan_cli.training.session import locked
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
