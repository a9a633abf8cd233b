"""Streaming from files that vanish, break or change while they are read."""

import itertools
import logging
import shutil
import zipfile
from multiprocessing import active_children

import pytest
import torch
from PIL import Image

from gan_cli.data.sets import datasets
from gan_cli.utils.errors import DataError
from tests.streaming import Lazy, feed_of, read_all, save_images


def lazy_folder(path, monkeypatch, **options):
    """A folder data set that decodes its images at every access, as large ones do."""
    monkeypatch.setattr("gan_cli.data.files.survey.KEPT_BYTES", 0)
    dataset = datasets.build({"name": "folder", "path": str(path), **options}, where="dataset")
    assert dataset.tensors() is None
    return dataset


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


def test_an_error_of_a_data_set_names_the_sample_and_logs_where_it_happened(caplog):
    def fault(index):
        if index == 3:
            import a_module_that_is_missing  # noqa: F401

    with pytest.raises(DataError, match=r"sample 3 .*a_module_that_is_missing"):
        read_all(Lazy(fault), workers=1)
    assert "in fault" in caplog.text


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


@pytest.mark.parametrize(
    ("batch", "world", "words"),
    [(20, 1, None), (21, 1, "some of them twice"), (20, 2, "more than once"), (10, 2, None)],
)
def test_a_batch_larger_than_the_data_is_reported(batch, world, words, caplog):
    with caplog.at_level(logging.WARNING):
        feed_of(Lazy(), resident=True, batch_size=batch, world=world)
    assert (words in caplog.text) if words else not caplog.text
