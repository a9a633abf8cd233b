"""Your own images: what is read, what is refused, and with which words."""

import io
import json
import logging
import os
import pickle
import shutil
import signal
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.config.registry import ConfigError
from gan_cli.data.files import examine, survey
from gan_cli.data.files.image import fit, read_image
from gan_cli.data.sets import datasets
from gan_cli.data.sets.folder import Folder


def folder(path, **options):
    return datasets.build({"name": "folder", "path": str(path), **options}, where="dataset")


def refusal(path, **options):
    with pytest.raises(ConfigError) as caught:
        folder(path, **options)
    return str(caught.value)


def picture(seed=0, width=12, height=10, mode="RGB"):
    depth = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, *depth), np.uint8)
    return Image.fromarray(pixels)


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def zipped(root, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root))
    return path


def encoded(image, **options):
    out = io.BytesIO()
    image.save(out, **({"format": "PNG"} | options))
    return out.getvalue()


@pytest.fixture
def classes(tmp_path):
    """Two classes of two images each, deep and shallow."""
    root = tmp_path / "images"
    for i, name in enumerate(["cat/1.png", "cat/old/2.PNG", "dog/3.bmp", "dog/4.png"]):
        save(picture(i), root / name)
    return root


# What is read


def test_nested_folders_are_read_in_order_of_name(classes):
    images = folder(classes)
    assert images.spec.shape == (3, 10, 12)
    assert images.spec.classes == 0
    assert images.names == ["cat/1.png", "cat/old/2.PNG", "dog/3.bmp", "dog/4.png"]
    for i in range(4):
        assert set(images[i]) == {"real"}
        wanted = np.moveaxis(np.asarray(picture(i)), 2, 0)
        assert np.array_equal(images[i]["real"].numpy(), wanted)
    assert torch.equal(images.tensors()["real"][2], images[2]["real"])


def test_sub_folders_are_classes(classes):
    images = folder(classes, labels="folders")
    assert images.spec.classes == 2
    assert images.spec.class_names == ("cat", "dog")
    assert images.tensors()["label"].tolist() == [0, 0, 1, 1]
    assert images[3]["label"].item() == 1
    assert images[3]["label"].dtype == torch.int64


def test_a_folder_around_the_classes_is_no_class(classes):
    assert folder(classes.parent, labels="folders").spec.class_names == ("cat", "dog")


def test_a_zip_is_the_same_as_the_folder(classes, tmp_path):
    # A Mac's additions, of which the second has the suffix of an image.
    (classes / ".DS_Store").write_bytes(b"x")
    (classes / "cat" / "._1.png").write_bytes(b"x")
    (classes / "__MACOSX").mkdir()
    (classes / "__MACOSX" / "1.png").write_bytes(b"x")
    path = zipped(classes, tmp_path / "images.zip")
    loose, packed = folder(classes, labels="folders"), folder(path, labels="folders")
    assert packed.names == loose.names
    assert torch.equal(packed.tensors()["real"], loose.tensors()["real"])
    assert torch.equal(packed.tensors()["label"], loose.tensors()["label"])
    assert packed.fingerprint() == loose.fingerprint()


def test_the_fingerprint_notices_other_content_labels_and_names(classes):
    before = folder(classes).fingerprint()
    assert folder(classes).fingerprint() == before
    assert folder(classes, labels="folders").fingerprint() != before
    (classes / "dog" / "4.png").rename(classes / "dog" / "5.png")
    renamed = folder(classes).fingerprint()
    save(picture(99), classes / "dog" / "5.png")
    assert len({before, renamed, folder(classes).fingerprint()}) == 3


@pytest.mark.parametrize("packed", [False, True])
def test_a_set_too_large_to_keep_is_decoded_as_needed(classes, tmp_path, monkeypatch, packed):
    path = zipped(classes, tmp_path / "images.zip") if packed else classes
    kept = folder(path, labels="folders", channels=4, size=16, resize="pad")
    monkeypatch.setattr(survey, "KEPT_BYTES", 0)
    lazy = folder(path, labels="folders", channels=4, size=16, resize="pad")
    assert lazy.tensors() is None
    lazy = pickle.loads(pickle.dumps(lazy))  # as a worker process gets it
    for i in range(4):
        assert torch.equal(lazy[i]["real"], kept[i]["real"])
        assert torch.equal(lazy[i]["label"], kept[i]["label"])
    assert lazy.fingerprint() == kept.fingerprint()


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "webp", "bmp"])
def test_every_format(tmp_path, suffix):
    smooth = Image.linear_gradient("L").resize((32, 16)).convert("RGB")
    save(smooth, tmp_path / f"a.{suffix}")
    (tmp_path / "notes.txt").write_text("not an image")
    read = folder(tmp_path)[0]["real"].numpy().astype(int)
    assert np.abs(read - np.moveaxis(np.asarray(smooth), 2, 0)).max() <= 6  # JPEG and WebP lose


# Modes, against pixels worked out by hand


@pytest.mark.parametrize(
    ("channels", "wanted"), [(1, [76]), (3, [255, 0, 0]), (4, [255, 0, 0, 255])]
)
def test_red_as_gray_rgb_and_rgba(tmp_path, channels, wanted):
    save(Image.new("RGB", (8, 8), "red"), tmp_path / "red.png")
    images = folder(tmp_path, channels=channels)
    assert images.spec.shape == (channels, 8, 8)
    assert images[0]["real"][:, 3, 3].tolist() == wanted  # ITU-R 601: 0.299 * 255 = 76


@pytest.mark.parametrize(
    ("mode", "colour", "wanted"),
    [
        ("L", 90, [90, 90, 90]),
        ("LA", (90, 0), [255, 255, 255]),
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), [255, 255, 255]),
        ("RGBA", (0, 0, 0, 51), [204, 204, 204]),  # a fifth of black over white
        ("1", 1, [255, 255, 255]),
    ],
)
def test_other_modes_as_rgb_and_transparency_over_white(mode, colour, wanted):
    image = read_image(encoded(Image.new(mode, (8, 8), colour)), 3)
    assert image.mode == "RGB"
    assert list(image.getpixel((3, 3))) == wanted


def test_rgba_keeps_its_alpha():
    image = picture(mode="RGBA")
    assert np.array_equal(np.asarray(read_image(encoded(image), 4)), np.asarray(image))


def test_a_palette_and_its_transparent_colour():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert read_image(encoded(image), 3).getpixel((1, 0)) == (40, 50, 60)
    see_through = encoded(image, transparency=0)
    assert read_image(see_through, 3).getpixel((0, 0)) == (255, 255, 255)
    assert read_image(see_through, 3).getpixel((1, 0)) == (40, 50, 60)
    assert read_image(see_through, 4).getpixel((0, 0))[3] == 0


def test_16_bit_gray_is_scaled_not_cut():
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16).repeat(8, 0)
    read = np.asarray(read_image(encoded(Image.fromarray(values)), 1))
    assert read[0].tolist() == np.rint(values[0] / 65535 * 255).astype(int).tolist()
    assert read_image(encoded(Image.fromarray(values)), 3).getpixel((5, 0)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path, orientation):
    """A camera that stores the upright picture turned, says by which of 8 ways."""
    upright = np.zeros((8, 16), np.uint8)
    upright[:4, :8] = 255  # bright upper left corner
    store = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),  # shown after a turn of 90 degrees clockwise
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(Image.fromarray(np.ascontiguousarray(store)), tmp_path / "a.png", exif=exif)
    images = folder(tmp_path, channels=1)
    assert images.spec.shape == (1, 8, 16)
    assert np.array_equal(images[0]["real"][0].numpy(), upright)


# Sizes


def marked(width, height):
    """Red left third, green middle, blue right third."""
    image = Image.new("RGB", (width, height), "lime")
    image.paste("red", (0, 0, width // 3, height))
    image.paste("blue", (width - width // 3, 0, width, height))
    return image


def test_crop_takes_the_centre():
    read = np.asarray(fit(marked(96, 32), 16, 16, "crop"))
    assert read.shape == (16, 16, 3)
    # The filter looks over the border of the part by 3 pixels.
    assert np.abs(read[:, 3:-3].astype(int) - (0, 255, 0)).max() <= 1


def test_stretch_takes_all():
    read = np.asarray(fit(marked(96, 32), 16, 24, "stretch"))
    assert read.shape == (16, 24, 3)
    assert read[8, 2].tolist() == [255, 0, 0]
    assert read[8, 12].tolist() == [0, 255, 0]
    assert read[8, -3].tolist() == [0, 0, 255]


def test_pad_shrinks_what_is_too_large_and_enlarges_nothing():
    read = np.asarray(fit(marked(96, 32), 24, 48, "pad"))  # becomes 48 x 16, 4 rows above and below
    assert not read[:4].any()
    assert not read[20:].any()
    assert read[12, 2].tolist() == [255, 0, 0]
    small = np.asarray(picture(width=10, height=8))
    read = np.asarray(fit(picture(width=10, height=8), 16, 16, "pad"))
    assert np.array_equal(read[4:12, 3:13], small)
    assert read.astype(int).sum() == small.astype(int).sum()


def test_shrinking_is_antialiased():
    checks = Image.fromarray((np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8))
    for policy in ("crop", "stretch", "pad"):
        read = np.asarray(fit(checks, 16, 16, policy)).astype(int)
        assert np.abs(read - 127.5).max() < 12, policy  # without it: 0 or 255 throughout


def test_sizes_that_are_not_square(tmp_path):
    save(picture(width=40, height=30), tmp_path / "a.png")
    save(picture(width=20, height=50), tmp_path / "b.png")
    for policy in ("crop", "stretch", "pad"):
        images = folder(tmp_path, height=16, width=24, resize=policy)
        assert images.spec.shape == (3, 16, 24)
        assert images.tensors()["real"].shape == (2, 3, 16, 24)
        assert all(images.tensors()["real"].flatten(1).any(1))


def test_enlarging_is_mentioned(tmp_path, caplog):
    save(picture(width=10, height=10), tmp_path / "a.png")
    folder(tmp_path, size=16, resize="pad")
    assert "enlarging" not in caplog.text
    folder(tmp_path, size=16, resize="crop")
    assert "enlarging 1 images that are smaller than 16x16" in caplog.text


def test_mixed_sizes_need_a_policy(tmp_path):
    for i in range(3):
        save(picture(width=12, height=10), tmp_path / f"{i}.png")
    save(picture(width=20, height=10), tmp_path / "wide.png")
    said = refusal(tmp_path)
    assert "3 of 12x10, 1 of 20x10" in said
    assert "dataset.size=10 dataset.resize=crop" in said
    assert "images of 16x16" in refusal(tmp_path, size=16)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 16, "height": 8}, "dataset.size: stands for both"),
        ({"height": 8, "resize": "crop"}, "dataset.height: goes with dataset.width"),
        ({"resize": "crop"}, "'crop' needs a size; add dataset.size="),
        ({"size": 0, "resize": "crop"}, "must be at least 1"),
        ({"channels": 2}, "dataset.channels: unknown value '2'"),
        ({"labels": "folder"}, "did you mean 'folders'"),
    ],
)
def test_options_that_contradict(classes, options, words):
    assert words in refusal(classes, **options)


# Broken images


@pytest.fixture
def damaged(classes):
    whole = (classes / "cat" / "1.png").read_bytes()
    (classes / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (classes / "cat" / "empty.png").write_bytes(b"")
    (classes / "dog" / "text.jpg").write_text("<html>404</html>")
    save(picture(width=4, height=30), classes / "dog" / "tiny.png")
    jpeg = encoded(picture(width=64, height=64), format="JPEG")
    (classes / "dog" / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    return classes


@pytest.mark.parametrize("packed", [False, True])
def test_broken_images_stop_the_run_with_their_list(damaged, tmp_path, packed):
    path = zipped(damaged, tmp_path / "images.zip") if packed else damaged
    said = refusal(path)
    assert "5 of 9 images cannot be used; type dataset.skip_broken=true" in said
    assert "cat/empty.png: empty file" in said
    assert "dog/text.jpg: not an image that can be read" in said
    assert "dog/tiny.png: only 4x30 pixels" in said
    assert "cat/cut.png: " in said
    assert "dog/cut.jpg: image file is truncated" in said
    assert "object at 0x" not in said


def test_broken_images_can_be_skipped_and_are_counted(damaged, caplog):
    images = folder(damaged, labels="folders", skip_broken=True)
    assert images.skipped == 5
    assert "left out 5 of 9 images" in caplog.text
    assert images.names == ["cat/1.png", "cat/old/2.PNG", "dog/3.bmp", "dog/4.png"]
    assert images.tensors()["label"].tolist() == [0, 0, 1, 1]
    for i in range(4):
        assert np.array_equal(images[i]["real"].numpy(), np.moveaxis(np.asarray(picture(i)), 2, 0))


def test_a_long_list_is_cut(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02}.png").write_bytes(b"")
    said = refusal(tmp_path, skip_broken=True)
    assert "30 of 30 images cannot be used; no image is left" in said
    assert "19.png" in said
    assert "20.png" not in said
    assert "and 10 more" in said


def test_a_damaged_member_of_a_zip_is_found(classes, tmp_path):
    path = zipped(classes, tmp_path / "images.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 30] ^= 0xFF
    path.write_bytes(data)
    assert "1 of 4 images cannot be used" in refusal(path)


def test_many_threads_see_what_one_sees(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for i in range(150):  # more than two chunks, and large enough for threads
        save(picture(i, width=101, height=100, mode="L"), tmp_path / f"{i:03}.bmp")
    images = folder(tmp_path, channels=1)
    assert "reading 150 images" in caplog.text
    for i in range(150):
        pixels = np.asarray(picture(i, width=101, height=100, mode="L"))
        assert np.array_equal(images[i]["real"][0].numpy(), pixels)


# Paths and labels


def test_a_missing_path_names_its_neighbour(classes):
    said = refusal(classes.parent / "imagse")
    assert "does not exist; " in said
    assert "did you mean 'images'" in said


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    assert "which holds no files" in refusal(tmp_path)
    for i in range(3):
        (tmp_path / f"{i}.svg").write_bytes(b"<svg/>")
    assert "which holds 3 .svg; readable are .apng, .avif" in refusal(tmp_path)


def test_a_file_that_is_no_zip(tmp_path):
    (tmp_path / "images.tar.gz").write_bytes(b"\x1f\x8b1234")
    said = refusal(tmp_path / "images.tar.gz")
    assert "neither a folder nor a valid zip archive" in said
    assert "unpack it" in said


def test_images_outside_the_class_folders(classes):
    save(picture(), classes / "stray.png")
    said = refusal(classes, labels="folders")
    assert "1 image (stray.png) is in the top folder" in said
    assert "dataset.labels=none" in said
    said = refusal(classes / "dog", labels="folders")
    assert "2 images (3.bmp, 4.png) are in the top folder" in said


def write_labels(root, content):
    (root / "dataset.json").write_text(content if isinstance(content, str) else json.dumps(content))


LABELS = [["cat/1.png", 2], ["cat/old/2.PNG", 0], ["dog/3.bmp", 1], ["dog/4.png", 2]]


@pytest.mark.parametrize("packed", [False, True])
def test_labels_of_dataset_json(classes, tmp_path, packed):
    write_labels(classes, {"labels": LABELS})
    path = zipped(classes, tmp_path / "images.zip") if packed else classes
    images = folder(path, labels="json")
    assert images.tensors()["label"].tolist() == [2, 0, 1, 2]
    assert images.spec.classes == 3
    write_labels(classes, {"labels": LABELS, "class_names": ["a", "b", "c", "d"]})
    assert folder(classes, labels="json").spec.class_names == ("a", "b", "c", "d")
    assert folder(classes.parent, labels="json").spec.classes == 4  # names count from the file


@pytest.mark.parametrize(
    "names",
    [["cat", "dog", "fox"], {"cat": 0, "fox": 2, "dog": 1}, {"0": "cat", "1": "dog", "2": "fox"}],
)
def test_class_names_as_a_list_or_as_a_mapping(classes, names):
    write_labels(classes, {"labels": LABELS, "class_names": names})
    assert folder(classes, labels="json").spec.class_names == ("cat", "dog", "fox")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"labels": LABELS[1:]}, "has no label for 1 image (cat/1.png)"),
        ({"labels": [["cat/1.pgn", 0], *LABELS[1:]]}, "did you mean 'cat/1.pgn'"),
        ({"labels": LABELS, "class_names": ["a", "b"]}, "a label 2 but only 2 class_names"),
        ({"labels": None}, "dataset.json is not"),
        ({"labels": [["cat/1.png", -1]]}, "cat/1.png is labelled -1"),
        ({"labels": [["cat/1.png", [0, 1]]]}, "of a one-hot vector give the position of the 1"),
        ({"labels": [["cat/1.png", 0.5]]}, "cat/1.png is labelled 0.5"),
        ({"labels": [["cat/1.png", None]]}, "cat/1.png is labelled None"),
        ({"labels": [["cat/1.png", float("nan")]]}, "cat/1.png is labelled nan"),
        ({"labels": [["cat/1.png", 10**30]]}, "number the classes from 0 without gaps"),
        ({"labels": [["cat/1.png", 0], ["dog/4.png", "dog"]]}, "all by number, or all by name"),
        ({"labels": [[0, "cat/1.png"]]}, "dataset.json is not"),
        ("[" * 100_000, "dataset.json is not"),
        ({"labels": [[n, str(k)] for n, k in LABELS], "class_names": ["a", "b"]}, "a label 2 but"),
        (
            {"labels": [[n, f"c{k}"] for n, k in LABELS], "class_names": ["c0", "c1", "d"]},
            "unknown class 'c2'; Known: c0, c1, d",
        ),
        ({"labels": {"cat/1.png": 0}}, "dataset.json is not"),
        ([], "dataset.json is not"),
        ("{", "dataset.json is no valid JSON: line 1, column 2"),
        ({"labels": [*LABELS, ["cat/1.png", 1]]}, "lists cat/1.png with labels 2 and 1"),
        ({"labels": [*LABELS[:-1], [LABELS[-1][0], 2_000_000]]}, "number the classes from 0"),
        ({"labels": LABELS, "class_names": ["a", "a", "b"]}, "no list of different names"),
        ({"labels": LABELS, "class_names": {"a": 0, "b": 5}}, "no list of different names"),
    ],
)
def test_labels_that_are_wrong(classes, content, words):
    write_labels(classes, content)
    assert words in refusal(classes, labels="json")


def test_labels_without_an_image_are_mentioned(classes, caplog):
    write_labels(classes, {"labels": [*LABELS, ["dog/5.png", 1]]})
    assert len(folder(classes, labels="json")) == 4
    assert "dataset.json labels 1 images that do not exist" in caplog.text


def test_labels_that_are_missing(classes):
    assert "needs a file dataset.json" in refusal(classes, labels="json")


# ---- Formats, links, transparency


def test_other_formats_are_read_and_the_rest_is_reported(tmp_path, caplog):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for suffix in ("png", "tif", "gif", "jfif", "jpe", "jp2", "ppm", "tga"):
        Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    (tmp_path / "drawing.svg").write_text("<svg/>")
    (tmp_path / "notes.txt").write_text("no image, and none was meant")
    with caplog.at_level("WARNING"):
        dataset = Folder(path=str(tmp_path))
    assert len(dataset) == 8
    assert "1 .svg" in caplog.text
    assert "txt" not in caplog.text
    for i, name in enumerate(dataset.names):
        if name.endswith((".png", ".tif", ".ppm", ".tga")):  # without loss
            assert (dataset[i]["real"].permute(1, 2, 0).numpy() == pixels).all(), name


def test_links_to_parents_add_nothing_and_end(tmp_path):
    for i in range(5):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "a" / f"{i}.png")
    (tmp_path / "a" / "back").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to(".")
    os.mkfifo(tmp_path / "a" / "pipe.png")
    assert len(Folder(path=str(tmp_path))) == 5


def test_a_linked_folder_is_read(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "elsewhere")
    assert Folder(path=str(tmp_path / "data")).names == ["cat/a.png"]


def test_pictures_of_runs_are_no_data(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    (tmp_path / "outputs" / "first" / "samples").mkdir(parents=True)
    (tmp_path / "outputs" / "first" / "run.json").write_text("{}")
    Image.new("RGB", (90, 90)).save(tmp_path / "outputs" / "first" / "samples" / "grid.png")
    assert Folder(path=str(tmp_path)).names == ["a.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_becomes_white(tmp_path, channels):
    """PNG's tRNS chunk: a colour of an RGB image, a gray value of 8 or 16 bits."""
    image = np.full((16, 16, 3), 50, np.uint8)
    image[:8] = (10, 20, 30)
    Image.fromarray(image).save(tmp_path / "rgb.png", transparency=(10, 20, 30))
    Image.fromarray(image[..., 0]).save(tmp_path / "gray.png", transparency=10)
    wide = Image.fromarray(image[..., 0].astype(np.uint16) * 257)
    wide.save(tmp_path / "wide.png")
    data = (tmp_path / "wide.png").read_bytes()
    chunk = b"tRNS" + struct.pack(">H", 10 * 257)
    end = data.index(b"IDAT") - 4
    keyed = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "wide.png").write_bytes(data[:end] + keyed + data[end:])
    dataset = Folder(path=str(tmp_path), channels=channels)
    for i in range(3):
        pixels = dataset[i]["real"]
        assert (pixels[:, :8] == 255).all(), dataset.names[i]
        assert (pixels[:, 8:] == 50).all(), dataset.names[i]


def test_floating_point_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((16, 16), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ConfigError, match="floating-point pixels"):
        Folder(path=str(tmp_path))


@pytest.fixture
def scans(tmp_path) -> Path:
    """Small images in several chunks, two of them broken."""
    for i in range(150):
        save(picture(i, width=9, height=10, mode="L"), tmp_path / "scans" / f"{i:03}.bmp")
    (tmp_path / "scans/007.bmp").write_bytes(b"no image")
    (tmp_path / "scans/100.bmp").write_bytes(b"")
    return tmp_path / "scans"


@pytest.mark.parametrize("packed", [False, True])
def test_many_small_images_are_decoded_by_processes_with_the_same_result(
    scans, packed, tmp_path, monkeypatch
):
    if packed:
        shutil.make_archive(str(tmp_path / "packed"), "zip", scans)
    path = tmp_path / "packed.zip" if packed else scans
    options = {"channels": 1, "skip_broken": True}
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "one"))
    alone = Folder(path=str(path), **options)
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "two"))
    monkeypatch.setattr(examine, "MANY", 2)
    monkeypatch.setattr(examine, "cores", lambda: 2)
    original, decoding = examine.Examiner.examine, os.getpid()

    def elsewhere(self: examine.Examiner, name: str) -> examine.Examined:
        assert os.getpid() != decoding
        return original(self, name)

    monkeypatch.setattr(examine.Examiner, "examine", elsewhere)
    together = Folder(path=str(path), **options)
    assert together.names == alone.names
    assert together.files == alone.files
    assert together.checksums == alone.checksums
    assert torch.equal(together.tensors()["real"], alone.tensors()["real"])


def test_decoding_goes_on_if_a_process_is_killed(scans, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(examine, "MANY", 2)
    monkeypatch.setattr(examine, "cores", lambda: 2)
    original, decoding = examine.Examiner.examine, os.getpid()

    def killed(self: examine.Examiner, name: str) -> examine.Examined:
        if name == "099.bmp" and os.getpid() != decoding:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, name)

    monkeypatch.setattr(examine.Examiner, "examine", killed)
    found = Folder(path=str(scans), channels=1, skip_broken=True)
    assert len(found) == 148
    assert "a process that decodes images was ended" in caplog.text
