"""A second start reads only those images of a folder that have changed since the first one."""

import logging
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.files import examine, survey_cache
from gan_cli.data.files import survey as surveys
from gan_cli.data.sets.folder import Folder
from gan_cli.utils.errors import ConfigError

COUNT = 12


def paint(path: Path, seed: int, size: tuple[int, int] = (16, 16)) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path) -> Path:
    for i in range(COUNT):
        paint(tmp_path / "photos" / "ab"[i % 2] / f"{i:02d}.jpg", i)
    return tmp_path / "photos"


@pytest.fixture
def read(monkeypatch) -> list[int]:
    """Grows by one with each image that is decoded."""
    decoded: list[int] = []
    original = surveys.read_image

    def counted(data: bytes, channels: int) -> Image.Image:
        decoded.append(len(data))
        return original(data, channels)

    for module in (surveys, examine):
        monkeypatch.setattr(module, "read_image", counted)
    return decoded


def start(path: Path, read: list[int], **options) -> tuple[Folder, int]:
    """The data set, and the number of images that were decoded for it."""
    read.clear()
    folder = Folder(path=str(path), **options)
    return folder, len(read)


def assert_same(found: Folder, expected: Folder) -> None:
    assert found.names == expected.names
    assert found.checksums == expected.checksums
    assert found.fingerprint() == expected.fingerprint()
    assert found.spec == expected.spec
    assert found.skipped == expected.skipped
    for i in range(len(expected)):
        assert torch.equal(found[i]["real"], expected[i]["real"])


def fresh(path: Path, monkeypatch, tmp_path: Path, **options) -> Folder:
    """The data set without anything that is remembered."""
    with monkeypatch.context() as context:
        context.setenv("GAN_CLI_CACHE", str(tmp_path / "other-cache"))
        found = Folder(path=str(path), **options)
    shutil.rmtree(tmp_path / "other-cache")
    return found


OPTIONS = [
    {"size": 8, "resize": "crop"},
    {"labels": "folders"},
    {"channels": 1, "size": 24, "resize": "pad"},
    {"channels": 4},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_second_start_decodes_nothing(options, photos, read):
    first, decoded = start(photos, read, **options)
    assert decoded >= COUNT
    second, decoded = start(photos, read, **options)
    assert decoded == 0
    assert_same(second, first)


def test_streamed_images_are_not_surveyed_again(photos, read, monkeypatch):
    monkeypatch.setattr(surveys, "KEPT_BYTES", 0)
    first, _ = start(photos, read, size=8, resize="crop")
    second, decoded = start(photos, read, size=8, resize="crop")
    assert decoded == 0
    assert second.tensors() is None
    assert_same(second, first)


def test_pixels_are_decoded_where_only_the_sizes_are_known(photos, read, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(surveys, "KEPT_BYTES", 0)
        streamed, _ = start(photos, read)
    kept, decoded = start(photos, read)
    assert decoded >= COUNT
    assert kept.tensors() is not None
    assert_same(kept, streamed)


def change_the_first(photos: Path) -> None:
    paint(photos / "a/00.jpg", 100)


def change_content(photos: Path) -> None:
    paint(photos / "a/04.jpg", 100)


def keep_size_and_time(photos: Path) -> None:
    path = photos / "a/04.jpg"
    before = path.stat()
    other = (photos / "a/06.jpg").read_bytes()
    path.write_bytes(other[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def remove(photos: Path) -> None:
    (photos / "a/04.jpg").unlink()


def add(photos: Path) -> None:
    paint(photos / "a/01b.jpg", 100)


def swap(photos: Path) -> None:
    (photos / "a/04.jpg").rename(photos / "x.jpg")
    (photos / "a/06.jpg").rename(photos / "a/04.jpg")
    (photos / "x.jpg").rename(photos / "a/06.jpg")


def move(photos: Path) -> None:
    (photos / "a/04.jpg").rename(photos / "b/99.jpg")


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (change_the_first, 1),
        (change_content, 1),
        (keep_size_and_time, 1),
        (remove, 0),
        (add, 1),
        (swap, 2),
        (move, 1),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("kept", [True, False])
def test_only_what_has_changed_is_read_again(
    change, most, kept, photos, read, monkeypatch, tmp_path
):
    if not kept:
        monkeypatch.setattr(surveys, "KEPT_BYTES", 0)
    options = {"size": 8, "resize": "crop", "skip_broken": True}
    start(photos, read, **options)
    change(photos)
    second, decoded = start(photos, read, **options)
    assert decoded <= most
    assert_same(second, fresh(photos, monkeypatch, tmp_path, **options))
    third, decoded = start(photos, read, **options)
    assert decoded == 0
    assert_same(third, second)


def test_the_first_image_decides_the_size_as_ever(photos, read, monkeypatch, tmp_path):
    for i in range(COUNT):
        paint(photos / "ab"[i % 2] / f"{i:02d}.jpg", i)
    start(photos, read)
    for i in range(COUNT):
        paint(photos / "ab"[i % 2] / f"{i:02d}.jpg", i, (32, 24))
    second, _ = start(photos, read)
    assert second.spec.shape == (3, 24, 32)
    assert_same(second, fresh(photos, monkeypatch, tmp_path))


def test_broken_images_are_remembered_and_read_again_once_mended(photos, read):
    (photos / "a/04.jpg").write_bytes(b"no image")
    with pytest.raises(ConfigError, match=r"1 of 12 .*(?s:.*)a/04\.jpg: not an image") as first:
        start(photos, read)
    with pytest.raises(ConfigError) as second:
        start(photos, read)
    assert not read
    assert str(second.value) == str(first.value)
    assert start(photos, read, skip_broken=True)[0].skipped == 1
    paint(photos / "a/04.jpg", 0)
    mended, decoded = start(photos, read)
    assert (mended.skipped, len(mended), decoded) == (0, COUNT, 1)


def test_errors_that_may_pass_are_not_remembered(photos, read, monkeypatch):
    original = Path.read_bytes

    def fails(path: Path) -> bytes:
        if path.name == "03.jpg":
            raise OSError(5, "Input/output error")
        return original(path)

    with monkeypatch.context() as context:
        context.setattr(Path, "read_bytes", fails)
        assert start(photos, read, skip_broken=True)[0].skipped == 1
    again, decoded = start(photos, read)
    assert (again.skipped, decoded) == (0, 1)


def test_links_to_missing_files_are_looked_at_every_time(photos, read, tmp_path):
    (photos / "a/link.jpg").symlink_to(tmp_path / "later.jpg")
    with pytest.raises(ConfigError, match="does not exist"):
        start(photos, read)
    paint(tmp_path / "later.jpg", 5)
    assert len(start(photos, read)[0]) == COUNT + 1


def test_an_archive_is_one_file(photos, read, tmp_path):
    def pack() -> Path:
        with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
            for path in sorted(photos.rglob("*.jpg")):
                archive.write(path, path.relative_to(photos).as_posix())
        return tmp_path / "photos.zip"

    first, _ = start(pack(), read)
    second, decoded = start(tmp_path / "photos.zip", read)
    assert decoded == 0
    assert_same(second, first)
    change_content(photos)
    third, decoded = start(pack(), read)
    assert decoded >= COUNT
    assert third.checksums != first.checksums


def test_other_options_have_surveys_of_their_own(photos, read):
    for options in OPTIONS[:1] + OPTIONS[2:]:
        assert start(photos, read, **options)[1] >= COUNT
    for options in OPTIONS[:1] + OPTIONS[2:]:
        assert start(photos, read, **options)[1] == 0


def test_a_damaged_survey_is_made_anew(photos, read, tmp_path, caplog):
    first, _ = start(photos, read)
    (path,) = (tmp_path / "cache/survey").glob("*.pt")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    second, decoded = start(photos, read)
    assert decoded >= COUNT
    assert "is damaged" in caplog.text
    assert_same(second, first)
    assert start(photos, read)[1] == 0


def test_a_cache_that_cannot_be_written_is_no_error(photos, read, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("gan_cli.utils.cache.warned", set())
    for _ in range(2):
        assert start(photos, read)[1] >= COUNT
    assert "the cache cannot be" in caplog.text


def test_the_oldest_surveys_make_room(photos, read, tmp_path, monkeypatch):
    monkeypatch.setattr(survey_cache, "MOST_BYTES", 20_000)
    for channels in (1, 3, 4):
        start(photos, read, channels=channels)
    total = sum(path.stat().st_size for path in (tmp_path / "cache/survey").glob("*.pt"))
    assert total <= 20_000
    assert start(photos, read, channels=4)[1] == 0
    assert start(photos, read, channels=1)[1] >= COUNT


def test_how_many_images_are_read_is_logged(photos, read, caplog):
    caplog.set_level(logging.INFO)
    start(photos, read)
    assert "reading 12 images" in caplog.text
    caplog.clear()
    change_content(photos)
    start(photos, read)
    assert "reading 1 images; 11 others have not changed" in caplog.text
    caplog.clear()
    start(photos, read)
    assert "reading" not in caplog.text
