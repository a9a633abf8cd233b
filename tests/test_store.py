"""dataset.store: decoded images in a file, with the same batches as without it."""

import itertools
import logging
import multiprocessing
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.checkpoints.changes import changes
from gan_cli.data.files import examine, store
from gan_cli.data.files import survey as surveys
from gan_cli.data.sets import datasets
from gan_cli.data.sets.folder import Folder
from gan_cli.utils.errors import ConfigError, StorageError
from tests.streaming import feed_of

COUNT = 10


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(surveys, "KEPT_BYTES", 0)
    return tmp_path / "cache"


def paint(path: Path, seed: int, size: tuple[int, int] = (20, 12)) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90)


@pytest.fixture
def photos(tmp_path) -> Path:
    for i in range(COUNT):
        paint(tmp_path / "photos" / "ab"[i % 2] / f"{i:02d}.jpg", i)
    return tmp_path / "photos"


@pytest.fixture
def read(monkeypatch) -> list[int]:
    """Grows by one with each image that is decoded, by the survey or for a batch."""
    decoded: list[int] = []
    original = surveys.read_image
    for module in (surveys, examine, store):
        monkeypatch.setattr(module, "read_image", lambda *a: decoded.append(1) or original(*a))
    decode = Folder.decode
    monkeypatch.setattr(Folder, "decode", lambda *a: decoded.append(1) or decode(*a))
    return decoded


def opened(path: Path, wanted: object = True, **options) -> Folder:
    options = {"size": 8, "resize": "crop", **options}
    return Folder(path=str(path), store=wanted, **options)  # type: ignore[arg-type]


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("store/*.u8"))


OPTIONS = [{}, {"labels": "folders"}, {"channels": 1, "resize": "pad"}, {"hflip": True}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("workers", [0, 1])
def test_batches_have_the_same_bits_with_and_without(options, workers, photos):
    batches = []
    for wanted in (True, False):
        dataset = opened(photos, wanted, **options)
        assert (dataset.decoded is not None) is wanted
        assert dataset.tensors() is None
        feed = feed_of(dataset, workers)
        batches.append(list(itertools.islice(feed.batches(0), 6)))
        feed.close()
    for with_store, without in zip(*batches, strict=True):
        assert with_store.keys() == without.keys()
        assert all(torch.equal(with_store[key], without[key]) for key in without)


def test_images_are_decoded_once_and_never_again(photos, read, own_cache):
    first = opened(photos)
    assert len(read) <= COUNT + 2  # the first image also tells the size
    read.clear()
    samples = [first[i]["real"] for i in range(COUNT)]
    second = opened(photos)
    assert [torch.equal(second[i]["real"], samples[i]) for i in range(COUNT)] == [True] * COUNT
    assert not read
    (file,) = files(own_cache)
    assert file.stat().st_size == COUNT * 3 * 8 * 8


def test_only_what_has_changed_is_decoded_and_the_old_file_goes(photos, read, own_cache):
    opened(photos)
    (before,) = files(own_cache)
    paint(photos / "a/04.jpg", 100)
    paint(photos / "b/99.jpg", 101)
    (photos / "a/02.jpg").unlink()
    read.clear()
    changed = opened(photos)
    assert len(read) == 2
    assert [path for path in files(own_cache) if path == before] == []
    plain = opened(photos, False)
    assert changed.names == plain.names
    assert changed.fingerprint() == plain.fingerprint()
    for i in range(COUNT):
        assert torch.equal(changed[i]["real"], plain[i]["real"])


def test_a_store_that_is_cut_off_or_missing_is_made_anew(photos, read, own_cache):
    expected = opened(photos)[3]["real"].clone()
    for damage in (lambda path: path.write_bytes(b"short"), Path.unlink):
        damage(files(own_cache)[0])
        read.clear()
        assert torch.equal(opened(photos)[3]["real"], expected)
        assert len(read) == COUNT


def test_broken_images_leave_no_gap(photos, own_cache):
    (photos / "a/04.jpg").write_bytes(b"no image")
    with pytest.raises(ConfigError, match=r"a/04\.jpg: not an image"):
        opened(photos)
    dataset, plain = (opened(photos, wanted, skip_broken=True) for wanted in (True, False))
    assert len(dataset) == COUNT - 1
    for i in range(COUNT - 1):
        assert torch.equal(dataset[i]["real"], plain[i]["real"])


def test_images_of_several_sizes_are_not_stored_before_they_are_refused(photos, own_cache):
    paint(photos / "a/04.jpg", 0, (32, 32))
    with pytest.raises(ConfigError, match=r"dataset\.resize"):
        opened(photos, size=None, resize="none")
    assert not files(own_cache)


def test_an_archive_and_another_size_have_stores_of_their_own(photos, own_cache, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(photos.rglob("*.jpg")):
            archive.write(path, path.relative_to(photos).as_posix())
    packed, plain, large = opened(tmp_path / "photos.zip"), opened(photos), opened(photos, size=16)
    assert torch.equal(packed[5]["real"], plain[5]["real"])
    assert large[5]["real"].shape == (3, 16, 16)
    assert len(files(own_cache)) == 2  # the archive has the same images as the folder


def test_samples_stay_the_same_when_the_files_vanish(photos):
    dataset = opened(photos)
    before = dataset[0]["real"].clone()
    for path in photos.rglob("*.jpg"):
        path.unlink()
    assert torch.equal(dataset[0]["real"], before)
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[0]["real"], before)
    assert len(pickle.dumps(dataset)) < 10_000


def test_what_does_not_fit_on_the_disk_is_refused_before_it_is_decoded(photos, read, monkeypatch):
    monkeypatch.setattr(store, "free_disk", lambda _: 100)
    with pytest.raises(StorageError) as error:
        opened(photos)
    assert str(error.value).startswith("dataset.store: 10 images take 1.88 KiB decoded, and 100 by")
    assert str(error.value).endswith("on a larger disk, or type dataset.store=false")
    assert len(read) <= 1


def test_a_disk_that_fills_up_leaves_nothing(photos, own_cache, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="No space left"):
        opened(photos)
    assert [path.name for path in (own_cache / "store").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("free", "reading", "kept", "words"),
    [
        (10**6, 1e15, True, "keeping 1.88 KiB of decoded images in .*store: decoding one takes"),
        (10**6, 1e-6, False, "decoding images for every batch anew: decoding one takes"),
        (3000, 1e15, False, "for every batch anew: they take 1.88 KiB decoded, and 2.93 KiB are"),
    ],
)
def test_auto_gives_its_reason(free, reading, kept, words, photos, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    assert opened(photos, "auto").decoded is None  # few images are never stored
    assert "decoded" not in caplog.text
    monkeypatch.setattr(store, "LEAST", 0)
    monkeypatch.setattr(store, "READING", reading)
    monkeypatch.setattr(store, "free_disk", lambda _: free)
    assert (opened(photos, "auto").decoded is not None) is kept
    assert re.search(words, caplog.text)


def test_auto_goes_on_where_nothing_can_be_written(photos, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(store, "LEAST", 0)
    dataset = opened(photos, "auto")
    assert (dataset.decoded, len(dataset)) == (None, COUNT)
    assert "decoding images for every batch anew: cannot write" in caplog.text
    with pytest.raises(StorageError, match="is a file, not a folder"):
        opened(photos)


def open_beside(path: Path, barrier, queue) -> None:
    barrier.wait()
    dataset = opened(path)
    queue.put(torch.stack([dataset[i]["real"] for i in range(COUNT)]).sum().item())


def test_processes_that_start_at_once_write_one_store(photos, own_cache):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(2), context.Queue()
    both = [context.Process(target=open_beside, args=(photos, barrier, queue)) for _ in "ab"]
    for process in both:
        process.start()
    sums = [queue.get(timeout=60) for _ in both]
    for process in both:
        process.join()
    plain = opened(photos, False)
    assert sums == [torch.stack([plain[i]["real"] for i in range(COUNT)]).sum().item()] * 2
    assert len(files(own_cache)) == 1
    assert sorted(path.name[:1] for path in (own_cache / "store").iterdir()) == [
        ".",
        files(own_cache)[0].name[:1],
    ]


def test_a_run_goes_on_with_another_store():
    old = {"dataset": {"name": "folder", "size": 8}}
    assert not changes(old, {"dataset": {"name": "folder", "size": 8, "store": True}})


def test_the_key_is_read_from_configs(photos):
    node = {"name": "folder", "path": str(photos), "size": 8, "resize": "crop"}
    assert datasets.build({**node, "store": True}, where="dataset").decoded is not None
    with pytest.raises(ConfigError, match=r"dataset\.store"):
        datasets.build({**node, "store": "often"}, where="dataset")
