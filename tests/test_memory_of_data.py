"""Data sets, scores and samples that cannot fit are refused before they are allocated."""

import pytest
import torch

from gan_cli.checkpoints.choice import newest
from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.sets import datasets
from gan_cli.games.request import Request
from gan_cli.sampling.model import Model
from gan_cli.training.demand import refuse_what_cannot_fit
from gan_cli.training.run import Run
from gan_cli.utils import free_memory as memory
from gan_cli.utils.errors import OutOfMemoryError
from tests.helpers import small, trained
from tests.test_forecast import save
from tests.test_near_duplicates import photos

MIB = 2**20


@pytest.fixture
def free(monkeypatch):
    """Sets the free memory of the system."""

    def set_free(amount: float) -> None:
        monkeypatch.setattr(memory, "system_memory", lambda: int(amount))
        monkeypatch.setattr(memory, "container_memory", lambda: None)

    return set_free


def test_synthetic_images_by_the_million():
    with pytest.raises(OutOfMemoryError, match=r"dataset\.count: 10,000,000 images takes about"):
        datasets.build({"name": "synthetic", "count": 10_000_000, "size": 128}, where="dataset")


def test_small_images_that_are_made_large():
    with pytest.raises(OutOfMemoryError, match=r"dataset\.size: 5,000 images takes about 78"):
        datasets.build({"name": "mnist_5k", "size": 4096}, where="dataset")


def test_a_folder_that_is_kept_on_the_device(tmp_path, free, monkeypatch):
    save(tmp_path / "photos", photos(20))
    monkeypatch.setattr("gan_cli.data.files.survey.KEPT_BYTES", 0)
    dataset = datasets.build({"name": "folder", "path": str(tmp_path / "photos")}, where="dataset")
    free(20 * 3 * 64 * 64 - 1)
    options = {"seed": 0, "rank": 0, "world": 1, "device": torch.device("cpu")}
    options |= {"batch_size": 2, "resident_gib": 1.0, "workers": 0}
    with pytest.raises(OutOfMemoryError, match=r"device\.resident: .* type device\.resident=false"):
        open_feed(dataset, resident=True, **options)
    open_feed(dataset, resident=False, **options)
    free(20 * 3 * 64 * 64)
    open_feed(dataset, resident=True, **options)


def test_scores_of_millions_of_samples_are_refused_before_the_training(tmp_path, free):
    words = ("model=mlp", "metrics=fd_random", "metrics.compute=[prdc]")
    free(100 * MIB)  # of features of 128 numbers: 200,000
    refuse_what_cannot_fit(Run(small(*words, "metrics.count=60000"), tmp_path / "run"))
    many = Run(small(*words, "metrics.count=5000000"), tmp_path / "run")
    with pytest.raises(OutOfMemoryError, match=r"metrics\.count: .* lower metrics\.count and"):
        refuse_what_cannot_fit(many)


@pytest.fixture
def model(tmp_path) -> Model:
    trained(small("model=mlp", "every.checkpoint=2"), tmp_path / "run")
    found = newest(tmp_path / "run")
    assert isinstance(found, Checkpoint)
    return Model(found)


def test_more_samples_than_fit(model, free):
    free(100 * MIB)
    with pytest.raises(OutOfMemoryError, match=r"count: 100,000 samples takes about 0\.572 GiB"):
        model.draw(Request(range(100_000)))
    assert len(model.draw(Request(range(3)))) == 3


def test_more_samples_at_a_time_than_fit(model, free):
    free(100 * MIB)
    with pytest.raises(OutOfMemoryError, match=r"batch_size: drawing 1000000 samples") as caught:
        model.draw(Request(range(3)), 1_000_000)
    fitting = int(str(caught.value).rpartition("=")[2])
    assert 1024 <= fitting <= 8192  # a sample takes 12 KiB, and activations
    assert len(model.draw(Request(range(3)), fitting)) == 3


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "own")
    assert memory.container_memory() is None
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 50\n")
    assert memory.container_memory() == 350
    assert memory.free_memory(torch.device("cpu")) == 350
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("memory.max", "memory.current", "memory.stat"):
        (tmp_path / "a" / name).write_bytes((tmp_path / name).read_bytes())
    (tmp_path / "a/memory.current").write_text("900")
    (tmp_path / "own").write_text("3:cpu,cpuacct:/x\n0::/a/b\n")
    assert memory.container_memory() == 150  # of the group above this one
    (tmp_path / "own").unlink()
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.container_memory() is None
    assert memory.free_memory(torch.device("cpu")) > 10 * MIB


def test_where_the_system_does_not_say_what_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.system_memory() > 100 * MIB
