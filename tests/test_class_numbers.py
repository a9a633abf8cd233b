"""Classes of two sides are paired by name, whatever their order."""

import numpy as np
import pytest
import torch
from PIL import Image

import gan_cli
from gan_cli.evaluation.class_numbers import class_name_errors, renumbered
from gan_cli.utils.errors import ConfigError


def test_numbers_follow_the_names():
    labels = torch.tensor([0, 1, 2, -1])
    moved = renumbered(labels, ("cat", "dog", "fox"), ("fox", "cat", "dog"))
    assert moved.tolist() == [1, 2, 0, -1]
    assert renumbered(labels, (), ("a",)).tolist() == labels.tolist()
    assert class_name_errors(("a", "b"), ("b", "a")) == []
    assert class_name_errors((), ("b", "a")) == []
    assert "only one side has c, z" in class_name_errors(("a", "c"), ("a", "z"))[0]


def write_classes(folder, names: dict[str, int]) -> None:
    """Ten images of 16x16 pixels for each class, around its own gray."""
    random = np.random.default_rng(0)
    for name, gray in names.items():
        (folder / name).mkdir(parents=True)
        for i in range(10):
            pixels = np.clip(random.normal(gray, 5, (16, 16, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def test_class_fd_pairs_classes_by_name(tmp_path, monkeypatch):
    """Equal classes have a distance of zero; a class that one side lacks is refused."""
    monkeypatch.chdir(tmp_path)
    write_classes(tmp_path / "real", {"cat": 50, "dog": 200})
    write_classes(tmp_path / "fake", {"cat": 50, "dog": 200})
    write_classes(tmp_path / "other", {"ant": 50, "dog": 200})
    options = {"features": "random", "metrics": ["class_fd"], "device": "cpu"}
    same = gan_cli.score(real="real", fake="fake", **options)["values"]["class_fd_random"]
    assert same == pytest.approx(0, abs=1e-6)
    with pytest.raises(ConfigError, match="only one side has ant, cat"):
        gan_cli.score(real="real", fake="other", **options)
    # An npz file numbers its classes without names: the numbers decide.
    images = np.stack([np.asarray(Image.open(p)) for p in sorted((tmp_path / "fake").glob("*/*"))])
    np.savez(tmp_path / "fake.npz", images=images, labels=np.arange(20) // 10)
    again = gan_cli.score(real="real", fake="fake.npz", **options)["values"]["class_fd_random"]
    assert again == pytest.approx(0, abs=1e-6)
