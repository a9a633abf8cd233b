"""Folders as inputs of gan-sample: how they are read, and advice that gan-sample understands."""

import shlex

import numpy as np
import pytest
from PIL import Image

from gan_cli.data.sets import datasets
from gan_cli.data.spec import Field
from gan_cli.sampling.inputs import open_folder
from gan_cli.utils.errors import ConfigError

IMAGE = Field("image", (3, 16, 24))


def folder(path, sizes):
    rng = np.random.default_rng(0)
    path.mkdir(parents=True)
    for i, (width, height) in enumerate(sizes):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path / f"{i}.png")
    return path


def refusal(path, trained_on):
    with pytest.raises(ConfigError) as caught:
        open_folder(path, trained_on, IMAGE)
    return str(caught.value)


def typed(advice):
    """The data set that the words of the advice name."""
    words = shlex.split(advice.partition("instead of input type ")[2].partition(" (or")[0])
    words = [word for word in words if "=" in word]
    node = {word.split("=")[0]: word.split("=", 1)[1] for word in words}
    options = {key.removeprefix("dataset."): v.strip("'") for key, v in node.items()}
    options["name"] = options.pop("dataset")
    typed = {k: int(v) if v.isdigit() else {"true": True}.get(v, v) for k, v in options.items()}
    return datasets.build(typed, where="dataset")


def test_sizes_that_do_not_fit_are_refused_with_a_data_set_that_does(tmp_path):
    mixed = folder(tmp_path / "my photos", [(24, 16), (30, 16)])
    told = refusal(mixed, {"name": "folder", "resize": "none"})
    assert told.startswith("input: dataset.resize: 'none' needs images of 24x16")
    assert [tuple(typed(told)[i]["real"].shape) for i in range(2)] == [(3, 16, 24)] * 2


def test_broken_images_are_refused_with_a_data_set_that_leaves_them_out(tmp_path):
    photos = folder(tmp_path / "photos", [(24, 16), (30, 16)])
    (photos / "a.png").write_bytes(b"")
    told = refusal(photos, {"name": "folder", "resize": "stretch"})
    assert told.startswith("input: 1 of 3 images cannot be used; instead of input type")
    assert len(typed(told.splitlines()[0])) == 2
    assert typed(told.splitlines()[0]).resize == "stretch"


def test_a_folder_is_read_once(tmp_path, caplog):
    caplog.set_level("INFO")
    photos = folder(tmp_path / "photos", [(24, 16)])
    (photos / "a.png").write_bytes(b"")
    refusal(photos / "..", {"name": "mnist"})
    assert caplog.text.count("reading 2 images") == 1


def test_sub_folders_are_labels_if_there_are_any(tmp_path):
    for name in ("cat", "dog"):
        folder(tmp_path / "classes" / name, [(9, 9)])
    data = open_folder(tmp_path / "classes", {"name": "mnist", "resize": "pad"}, IMAGE)
    assert data.spec.class_names == ("cat", "dog")
    assert open_folder(tmp_path / "classes" / "cat", {}, IMAGE).labels() is None
