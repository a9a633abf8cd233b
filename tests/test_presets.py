"""preset=NAME: settings follow from the data and the device, and what is typed wins."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli import api
from gan_cli.utils.errors import ConfigError

SHORT = ("steps=2", "metrics=none", "every.preview=0", "health=false", "logger=none")


@pytest.fixture(autouse=True)
def short_trials(monkeypatch):
    for name, seconds in (("WARM_UP", 0.01), ("LEAST", 0.01), ("MOST", 1.0)):
        monkeypatch.setattr(f"gan_cli.forecast.trial.{name}", seconds)


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """30 images of different sizes, in the folder in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for name in "ab":
        (folder / name).mkdir(parents=True)
    for i in range(30):
        height, width = random.integers(40, 90, 2)
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "ab"[i % 2] / f"{i}.png")
    return folder


def run_json(name: str = "r") -> dict:
    return json.loads(Path("outputs", name, "run.json").read_text())


def train(*words: str):
    return api.train("run=r", "dataset=folder", "dataset.path=photos", "device=cpu", *words)


# ---- Commands


def test_photos_of_mixed_sizes_train_and_resume_with_the_same_settings(photos, monkeypatch, capsys):
    first = train("preset=auto", "steps=2", *SHORT[1:])
    assert (first.config.preset, first.step) == ("auto", 2)
    told = capsys.readouterr().out
    for word in ("dataset.size=32", "dataset.resize=crop", "loss=r1", "batch_size=16"):
        assert f"  {word} " in told
    assert "steps=" not in told  # typed
    card = run_json()
    assert card["config"]["batch_size"] == 16
    assert "dataset.size" in card["preset"]
    monkeypatch.setattr("gan_cli.presets.settle.settle", lambda *_: pytest.fail("settled again"))
    again = api.train("run=r", "steps=4")
    assert again.step == 4
    same = ("model", "loss", "dataset", "augment", "batch_size", "accumulate", "ema", "device")
    assert all(getattr(again.config, key) == getattr(first.config, key) for key in same)
    assert run_json()["preset"] == card["preset"]
    whole = train("preset=auto", "steps=5", *SHORT[1:])  # the command as it was typed at first
    assert whole.step == 5
    assert whole.config.batch_size == 16


def test_a_run_keeps_its_preset(photos):
    train("preset=tiny", *SHORT)
    with pytest.raises(ConfigError, match=r"preset: .* was started with preset=tiny.*run=NAME"):
        train("preset=quality", *SHORT)


def test_labels_make_a_conditional_model(photos):
    run = train("preset=tiny", "dataset.labels=folders", *SHORT)
    assert run.config.model.networks["generator"]["conditioning"] == "concat"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("preset=best",), "preset: "),
        (("preset=auto", "experiment=folder_r3gan"), "preset: a recipe"),
        (("preset=auto", "batch_sise=3"), "batch_sise"),
        (("preset=auto", "dataset.path=nowhere"), "dataset.path"),
    ],
)
def test_faults_are_told_in_one_line(photos, words, fault):
    with pytest.raises(ConfigError) as caught:
        api.train("run=r", "dataset=folder", "dataset.path=photos", *words)
    assert str(caught.value).startswith(fault)
    assert "\n" not in str(caught.value)
    assert not Path("outputs/r").exists()


def test_data_that_are_no_images_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^preset: chooses settings for images.*of kind vector"):
        api.train("preset=auto", "dataset=ring", "model=mlp", "device=cpu")
    with pytest.raises(ConfigError, match=r"^preset: chooses settings for images"):
        api.train("preset=auto", "dataset=ring", "device=cpu")


def test_typos_are_told_before_the_data_are_opened(photos, monkeypatch):
    monkeypatch.setattr("gan_cli.presets.settle.file_sizes", lambda _: pytest.fail("opened"))
    with pytest.raises(ConfigError, match="stepps"):
        train("preset=auto", "stepps=4")


def test_a_check_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))
    root = f"dataset.root={tmp_path / 'data'}"
    with pytest.raises(ConfigError, match=r"^preset: looks at the data, and .*leave check out"):
        api.train("preset=auto", "dataset=cifar10", root, "check=true", "device=cpu")


def test_several_processes_are_refused(photos, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="preset: one process measures"):
        train("preset=auto")


def test_sideways_photos_are_measured_as_they_are_seen(tmp_path):
    from gan_cli.data.sets.folder import Folder

    image, exif = Image.new("RGB", (40, 20)), Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    image.save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (40, 20)).save(tmp_path / "b.jpg")
    assert Folder.file_sizes({"path": str(tmp_path)}) == [(40, 20), (20, 40)]
