"""Folders and zip archives as other programs leave them: which files in them are images."""

import io
import logging
import os
import pickle
import socket
import zipfile

import pytest
from PIL import Image

from gan_cli.data.files.archive import FolderArchive, ZipArchive, open_archive
from gan_cli.data.files.entry_names import plain_name
from gan_cli.data.sets.folder import Folder
from gan_cli.utils.errors import ConfigError


def png(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def zipped(path, names):
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, out.getvalue())
    return path


JUNK = [
    "__MACOSX/a.png",
    "__MACOSX/cat/._a.png",
    "cat/._a.png",
    ".hidden/a.png",
    "cat/.ipynb_checkpoints/a.png",
    "@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg",
    "cat/@eaDir/a.jpg",
    "#recycle/a.png",
    "$RECYCLE.BIN/a.png",
    "System Volume Information/a.png",
    "lost+found/a.png",
]


@pytest.mark.parametrize("packed", [False, True])
def test_what_systems_add_is_no_data(tmp_path, packed):
    names = ["cat/a.png", "dog/b.png", "cat/Thumbs.db", "cat/.DS_Store", "dog/desktop.ini", *JUNK]
    for name in names:
        png((tmp_path / "images" / name).with_suffix(".png"))
        (tmp_path / "images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes((tmp_path / "images/cat/a.png").read_bytes())
    path = zipped(tmp_path / "a.zip", names) if packed else tmp_path / "images"
    found = [name for name in open_archive(str(path)).names if name.endswith((".png", ".jpg"))]
    if not packed:  # the loop above made images of these, too
        found = [name for name in found if "Thumbs" not in name and "desktop" not in name]
    assert found == ["cat/a.png", "dog/b.png"]


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("cat/a.png", "cat/a.png"),
        ("./cat/a.png", "cat/a.png"),
        (".//cat///a.png", "cat/a.png"),
        ("cat/./a.png", "cat/a.png"),
        ("/cat/a.png", "cat/a.png"),
        ("../cat/a.png", "cat/a.png"),
        ("dog/../cat/a.png", "cat/a.png"),
        ("cat\\a.png", "cat/a.png"),
        (".\\cat\\a.png", "cat/a.png"),
        ("cat/..a.png", "cat/..a.png"),
    ],
)
def test_names_in_archives_are_normalized(tmp_path, given, plain):
    assert plain_name(given) == plain
    archive = pickle.loads(pickle.dumps(ZipArchive(zipped(tmp_path / "a.zip", [given]))))
    hidden = plain.split("/")[-1].startswith(".")
    assert archive.names == ([] if hidden else [plain])
    assert all(archive.read(name).startswith(b"\x89PNG") for name in archive.names)


@pytest.mark.parametrize("prefix", ["./", "cat//", ".\\"])
def test_classes_of_an_archive_with_odd_names(tmp_path, prefix):
    names = [f"{prefix}x{prefix[-1]}{c}{prefix[-1]}{i}.png" for c in "ab" for i in range(2)]
    data = Folder(path=str(zipped(tmp_path / "a.zip", names)), labels="folders")
    assert data.spec.class_names == ("a", "b")
    assert data.labels().tolist() == [0, 0, 1, 1]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("again", ["cat/a.png", "./cat/a.png", "cat\\a.png", "cat//a.png"])
def test_an_image_that_is_packed_twice_is_refused(tmp_path, again):
    path = zipped(tmp_path / "a.zip", ["cat/a.png", "cat/b.png", again])
    with pytest.raises(ConfigError, match=r"holds cat/a.png twice.*; pack it again"):
        open_archive(str(path))


def test_pipes_and_sockets_are_left_out_and_told(tmp_path, caplog):
    png(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "dataset.json")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.png"))
        with caplog.at_level(logging.WARNING):
            assert FolderArchive(tmp_path).names == ["a.png"]
    for name in ("pipe.png", "device.png", "s.png"):
        assert f"{name}: a pipe, a socket or a device" in caplog.text
    for name in ("pipe.png", "device.png"):
        with pytest.raises(ConfigError, match="is a pipe, a socket or a device; type a folder"):
            open_archive(str(tmp_path / name))


def test_a_link_to_an_image_that_is_missing_is_a_broken_image(tmp_path):
    png(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("elsewhere.png")
    (tmp_path / "c.png").symlink_to("c.png")  # to itself
    with pytest.raises(ConfigError) as caught:
        Folder(path=str(tmp_path))
    assert "2 of 3 images cannot be used" in str(caught.value)
    assert "b.png: a link to elsewhere.png, which does not exist" in str(caught.value)
    assert "c.png: a link to c.png, which does not exist" in str(caught.value)
    assert Folder(path=str(tmp_path), skip_broken=True).names == ["a.png"]


@pytest.mark.parametrize(
    ("folders", "advice"),
    [
        (["train", "test"], "train"),
        (["train", "val", "test"], "train"),
        (["Train", "Valid"], "Train"),
        (["training", "validation"], "training"),
        (["test", "val"], "test"),
        (["train", "test", "unlabelled"], "train"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_parts_of_a_data_set_are_no_classes(tmp_path, folders, advice, packed, caplog):
    names = [f"birds/{part}/{c}/{i}.png" for part in folders for c in "ab" for i in range(2)]
    for name in names:
        png(tmp_path / "data" / name)
    path = zipped(tmp_path / "a.zip", names) if packed else tmp_path / "data"
    with pytest.raises(ConfigError) as caught:
        Folder(path=str(path), labels="folders")
    assert "are no classes, but parts of a data set" in str(caught.value)
    assert f"type dataset.path=.../birds/{advice} " in str(caught.value)
    with caplog.at_level(logging.WARNING):
        assert len(Folder(path=str(path))) == len(names)
    assert "reading all of birds/" in caplog.text


def test_classes_may_be_called_train_and_test(tmp_path, caplog):
    for name in ("train/a.png", "plane/b.png", "car/c.png"):
        png(tmp_path / name)
    data = Folder(path=str(tmp_path), labels="folders")
    assert data.spec.class_names == ("car", "plane", "train")
    assert "reading all of" not in caplog.text


def test_a_folder_without_images_says_what_to_type(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"which holds no files; readable are \.apng"):
        Folder(path=str(tmp_path))
    zipped(tmp_path / "a" / "b.zip", ["c.png"])
    with pytest.raises(ConfigError, match=r"holds 1 \.zip; type dataset.path=.*/a/b\.zip, or"):
        Folder(path=str(tmp_path))


def test_names_that_are_no_utf8_are_read(tmp_path):
    png(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + b"/caf\xe9.png")
    data = Folder(path=str(tmp_path))
    assert len(data) == 1
    assert data.fingerprint() == Folder(path=str(tmp_path)).fingerprint()


def test_a_path_that_cannot_be_opened_is_told(tmp_path):
    for i in range(50):
        (tmp_path / f"neighbour-{i}").mkdir()
    with pytest.raises(ConfigError) as caught:
        open_archive(str(tmp_path / "birds"))
    assert "birds does not exist; if it has moved, type dataset.path=NEW_PLACE" in str(caught.value)
    assert "neighbour" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"cannot be read \(File name too long\)"):
        open_archive(str(tmp_path / ("a" * 300)))
