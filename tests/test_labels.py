"""Labels in arrays, in lists of images and in tensors: which are read, and which refused."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.label_values import label_numbers
from gan_cli.data.sets.folder import Folder
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.npz import samples_of
from gan_cli.data.spec import image_spec
from gan_cli.sampling.model import class_number
from gan_cli.utils.errors import ConfigError

IMAGES = np.zeros((3, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    "values",
    [
        [0, 2, 1],
        [0.0, 2.0, 1.0],
        ["0", "2", "1"],
        np.array([0, 2, 1], np.uint8),
        np.array([0, 2, 1], np.float16),
        np.array([[0], [2], [1]]),
        np.array(["0", "2", "1"]),
        np.array([b"0", b"2", b"1"]),
        np.array([0, 2.0, "1"], object),
        torch.tensor([0.0, 2.0, 1.0]),
    ],
    ids=repr,
)
def test_whole_numbers_of_any_type_are_labels(values):
    numbers, names = label_numbers(values, 3)
    assert numbers.tolist() == [0, 2, 1]
    assert numbers.dtype == torch.int64
    assert names == ()


@pytest.mark.parametrize("values", [["dog", "cat", "dog"], np.array([b"dog", b"cat", b"dog"])])
def test_names_are_labels_in_alphabetical_order(values):
    numbers, names = label_numbers(values, 3)
    assert numbers.tolist() == [1, 0, 1]
    assert names == ("cat", "dog")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 0.5, 1], "row 1 (counted from 0) is labelled 0.5"),
        (np.array([0, 1, np.nan]), "row 2 (counted from 0) is labelled nan"),
        (np.array([np.inf, 1, 0]), "row 0 (counted from 0) is labelled inf"),
        ([0, -1, 1], "row 1 (counted from 0) is labelled -1"),
        (np.array([0, 2_000_000, 1]), "is labelled 2000000; number the classes from 0"),
        (np.array([0, 2**64 - 1, 1], np.uint64), "is labelled 18446744073709551615"),
        (np.eye(3), "are one-hot vectors (3, 3); save labels.argmax(1)"),
        (np.full((3, 2), 0.5), "have shape (3, 2)"),
        (np.array(1), "have shape ()"),
        ([0, 1], "there are 2 labels for 3 samples"),
        (np.arange(4), "there are 4 labels for 3 samples"),
        ([0, "cat", 1], "row 0 (counted from 0) is labelled 0 and row 1 (counted from 0) 'cat'"),
        (["cat", "", "dog"], "row 1 (counted from 0) has an empty name"),
        ([0, None, 1], "row 1 (counted from 0) is labelled None"),
        ([0, {}, 1], "row 1 (counted from 0) is labelled {}"),
        (np.array([0, 1, 2j]), "are of type complex128"),
        (np.array(["2026-01-01"] * 3, "datetime64[D]"), "are of type datetime64"),
    ],
    ids=repr,
)
def test_other_labels_are_refused_by_row(values, words):
    with pytest.raises(ValueError, match=r"label|empty name") as caught:
        label_numbers(values, 3)
    assert words in str(caught.value)


@pytest.mark.parametrize("key", ["labels", "label", "arr_1"])
def test_labels_of_an_npz_file(key):
    data = samples_of({"images": IMAGES, key: np.array([0.0, 5.0, 9.0])})
    assert data.labels().tolist() == [0, 5, 9]
    assert data.spec.classes == 10
    data = samples_of({"arr_0": IMAGES, key: np.array(["b", "a", "b"])})
    assert data.labels().tolist() == [1, 0, 1]
    assert data.spec.class_names == ("a", "b")
    with pytest.raises(ConfigError, match=f"^{key}: row 1 .* is labelled 0.5"):
        samples_of({"images": IMAGES, key: np.array([0, 0.5, 1])})


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (torch.tensor([0, 1]), "there are 2 labels for 3 samples"),
        (torch.tensor([0, 1, 2]), "row 2 (counted from 0) is labelled 2, and there are 2 classes"),
        (torch.tensor([0, 1, -1]), "is labelled -1"),
        (torch.tensor([0, 0.5, 1]), "is labelled 0.5"),
        (torch.eye(3), "are one-hot vectors"),
    ],
)
def test_labels_of_tensors_must_fit_the_samples_and_the_classes(label, words):
    with pytest.raises(ConfigError) as caught:
        InMemory({"real": torch.zeros(3, 2), "label": label}, 2)
    assert words in str(caught.value)


def test_labels_of_tensors_become_int64():
    data = InMemory({"real": torch.zeros(3, 2), "label": torch.tensor([0.0, 1.0, 1.0])}, 2)
    assert data[1]["label"].dtype == torch.int64
    assert data.labels().tolist() == [0, 1, 1]


def listed(folder, labels, **more):
    for name in ("a.png", "sub/b.png", "sub/café.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "dataset.json").write_text(json.dumps({"labels": labels, **more}))
    return Folder(path=str(folder), labels="json")


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "sub/b.png", "sub/café.png"],
        ["./a.png", "sub//b.png", "./sub/./café.png"],
        ["/a.png", "sub\\b.png", ".\\sub\\café.png"],
        ["sub/../a.png", "sub/b.png", "sub/cafe\u0301.png"],  # e and a combining accent
    ],
)
def test_names_in_a_list_may_be_spelled_in_other_ways(tmp_path, names):
    data = listed(tmp_path, [[name, k] for k, name in enumerate(names)])
    assert data.labels().tolist() == [0, 1, 2]


def test_two_spellings_of_an_image_with_unlike_labels_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"lists \./a.png with labels 0 and 1"):
        listed(tmp_path, [["a.png", 0], ["./a.png", 1]])


def test_classes_of_a_list_may_have_names(tmp_path):
    labels = [["a.png", "dog"], ["sub/b.png", "cat"], ["sub/café.png", "dog"]]
    data = listed(tmp_path, labels)
    assert data.spec.class_names == ("cat", "dog")
    assert data.labels().tolist() == [1, 0, 1]
    data = listed(tmp_path, labels, class_names=["dog", "fox", "cat"])
    assert data.spec.class_names == ("dog", "fox", "cat")
    assert data.labels().tolist() == [0, 2, 0]


@pytest.mark.parametrize("label", [1, 1.0, "b", "1"])
def test_a_class_by_number_or_name(label):
    spec = image_spec((1, 8, 8), 2, ("a", "b") if label != "1" else ("0", "1"))
    assert class_number(label, spec) == 1


@pytest.mark.parametrize("label", [0.5, -1, 2, "c", None, [0, 1], float("nan"), float("inf")])
def test_other_classes_are_refused(label):
    with pytest.raises(ConfigError, match=r"^label: unknown class .*0 to 1"):
        class_number(label, image_spec((1, 8, 8), 2, ("a", "b")))
