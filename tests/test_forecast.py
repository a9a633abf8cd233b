"""gan-train check=true forecasts what a run takes, and lists the problems of its data."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.forecast.check import forecast
from gan_cli.forecast.disk import kept_checkpoints, times_due
from gan_cli.forecast.forecast import Forecast, forecast_of
from gan_cli.forecast.trial import Trial
from gan_cli.utils.errors import ConfigError
from tests.helpers import small, trained
from tests.test_near_duplicates import photos, recompressed

FAST = ("steps=4", "device.threads=1")


@pytest.fixture(autouse=True)
def short_trials(monkeypatch):
    for name, seconds in (("WARM_UP", 0.01), ("LEAST", 0.01), ("MOST", 2.0)):
        monkeypatch.setattr(f"gan_cli.forecast.trial.{name}", seconds)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*words: str, folder: Path = Path("outputs/test")) -> Forecast:
    config = small(*FAST, *words)
    return forecast_of(Trial(config, folder), folder)


def told(capsys, *words: str) -> str:
    forecast(small(*FAST, *words), Path("outputs/test"))
    return capsys.readouterr().out


# ---- Numbers against what a run then does


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("model=mlp", "optimizer=sgd", "dataset=ring", "dataset.count=64"),
        ("loss=wgan_gp", "ema.half_life=0", "every.keep=2"),
        ("metrics=fd_random", "metrics.count=64", "every.evaluate=2", "score_scale=false"),
    ],
)
def test_checkpoints_are_as_large_and_as_many_as_forecast(words, home):
    words = (*words, "every.checkpoint=1")
    disk = found(*words).disk
    trained(small(*FAST, *words), home / "outputs/test")
    sizes = [path.stat().st_size for path in Path("outputs/test/checkpoints").iterdir()]
    assert disk.checkpoints == len(sizes)
    assert disk.checkpoint == pytest.approx(max(sizes), abs=4096)  # scores and means of losses


def test_pictures_are_as_many_as_forecast(home):
    words = ("every.preview=2",)
    disk = found(*words).disk
    trained(small(*FAST, *words), home / "outputs/test")
    files = list(Path("outputs/test/samples").iterdir())
    assert len(files) == disk.previews + 1  # and that of the data
    assert 0 < disk.pictures < 10 * sum(path.stat().st_size for path in files)


def test_parameters_are_those_of_the_networks(home):
    run = trained(small(*FAST), home / "run")
    counts = {
        role: sum(p.numel() for p in network.parameters())
        for role, network in run.game.networks.items()
    }
    assert found().parameters == {role: (count, count) for role, count in counts.items()}


def test_frozen_networks_are_not_trainable(home):
    trained(small(*FAST, "model=mlp", "every.checkpoint=2"), home / "outputs/first")
    words = ("model=inversion", "model.pretrained.generator=outputs/first")
    seen = found(*words).parameters
    assert seen["generator"][0] == 0 < seen["generator"][1]
    assert seen["encoder"][0] == seen["encoder"][1] > 0


def test_speed_time_and_memory_are_positive_and_the_time_is_that_of_the_steps(home):
    seen = found("steps=1000", "every.preview=100", "metrics=fd_random", "every.evaluate=500")
    assert seen.images_per_second > 0
    assert seen.training_seconds == pytest.approx(1000 * 8 / seen.images_per_second)
    assert (seen.previews, seen.evaluations) == (10, 2)
    parts = 10 * seen.preview_seconds + 2 * seen.evaluation_seconds
    assert seen.seconds == pytest.approx(seen.training_seconds + parts)
    assert seen.memory > 50e6
    assert seen.data_bytes == 64 * (3 * 32 * 32 + 8)  # pixels and labels


def test_a_run_that_exists_has_fewer_steps_left(home):
    trained(small(*FAST, "every.checkpoint=1"), home / "outputs/test")
    before = contents(home)
    assert found("steps=10").steps == 6
    assert contents(home) == before


def test_endless_data_take_no_memory(home):
    seen = found("model=mlp", "dataset=ring", "dataset.count=null")
    assert (seen.feed, seen.data_bytes) == ("endless", None)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("steps", "every", "last", "keep", "kept"),
    [
        (10, 0, 2, 0, 0),  # never
        (10, 100, 2, 0, 1),  # at the end alone
        (10, 3, 2, 0, 2),  # 9, 10
        (10, 3, 1, 6, 2),  # 10; 6
        (12, 3, 1, 6, 2),  # 12; 6
        (100, 10, 3, 25, 4),  # 80, 90, 100; 50
        (100, 10, 1000, 20, 10),  # all of them
    ],
)
def test_numbers_of_checkpoints(steps, every, last, keep, kept):
    config = small(f"every.keep={keep}")
    assert kept_checkpoints(steps, every, last, config) == kept


def test_what_happens_at_an_interval_happens_at_the_last_step_too():
    assert [times_due(every, 10) for every in (0, 1, 3, 5, 10, 20)] == [0, 10, 4, 2, 1, 1]


# ---- What is printed


def test_the_forecast_is_a_table_and_nothing_is_written(home, capsys):
    lines = told(capsys, "dataset.count=2000").splitlines()
    assert lines[0] == "the config is valid"
    names = [line.split()[0] for line in lines[1:8]]
    assert names == ["device", "parameters", "data", "speed", "time", "memory", "disk"]
    assert not list(home.iterdir())


def test_json_has_all_numbers_in_one_object(home, capsys):
    (line,) = told(capsys, "log=json").splitlines()
    seen = json.loads(line)
    assert (seen["event"], seen["text"]) == ("valid", "the config is valid")
    assert seen["forecast"]["images_per_second"] > 0
    assert any("only 64 samples" in text for text in seen["problems"])


def test_a_disk_that_is_too_small_is_a_problem(home, capsys, monkeypatch):
    assert "of disk" not in told(capsys)
    monkeypatch.setattr("gan_cli.forecast.disk.free_disk", lambda _: 1000)
    assert "of disk, and 0.977 KiB are free" in told(capsys, "every.checkpoint=1")


# ---- Problems of the data


def save(folder: Path, images: torch.Tensor, start: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(images, start):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(folder / f"{i:03d}.png")


FOLDER = ("dataset=folder", "~dataset.count", "dataset.path=photos", "dataset.size=32")


def problems(capsys, *words: str) -> list[str]:
    lines = told(capsys, *FOLDER, "dataset.resize=crop", *words).splitlines()
    return [line.removeprefix("  - ") for line in lines if line.startswith("  - ")]


def test_sound_data_have_no_problem_but_their_number(home, capsys):
    save(home / "photos", photos(60))
    (few,) = problems(capsys)
    assert few.startswith("only 60 samples, ")
    assert "dataset.hflip=true" in few
    assert "dataset.hflip" not in problems(capsys, "dataset.hflip=true")[0]


def test_each_problem_is_one_line_that_names_files(home, capsys):
    sound = photos(60)
    save(home / "photos", sound)
    save(home / "photos", sound[:2], start=100)  # exact copies
    save(home / "photos", photos(3, seed=1, side=16), start=200)  # enlarged
    save(
        home / "photos", torch.full((1, 3, 40, 40), 7, dtype=torch.uint8), start=300
    )  # of one colour
    recompressed(Image.open(home / "photos/005.png")).save(home / "photos/305.png")
    Image.open(home / "photos/006.png").convert("L").save(home / "photos/306.png")
    Image.open(home / "photos/007.png").crop((0, 0, 64, 20)).save(home / "photos/307.png")
    faded = Image.open(home / "photos/008.png").convert("RGBA").rotate(90)
    faded.putalpha(99)
    faded.save(home / "photos/308.png")
    (home / "photos/400.png").write_bytes(b"none")
    lines = problems(capsys, "dataset.skip_broken=true")
    for words in (
        "1 broken file left out (400.png: ",
        "4 of 70 images are smaller than 32x32 and are enlarged, which blurs them (200.png, 201",
        "1 of 70 images lose more than half of their area",
        "2 of 70 images are gray among coloured ones",
        "1 image with transparent pixels",
        "1 sample of one colour only (300.png)",
        "2 exact copies of other samples (000.png = 100.png, 001.png = 101.png)",
        "1 pair of images that look the same (005.png ~ 305.png)",
    ):
        assert sum(words in line for line in lines) == 1, (words, lines)
    assert len(lines) == 9  # and that they are few
    assert all(len(line) < 300 for line in lines)


def test_broken_files_are_an_error_as_in_training(home):
    save(home / "photos", photos(9))
    (home / "photos/bad.png").write_bytes(b"none")
    with pytest.raises(ConfigError, match=r"bad\.png"):
        forecast(small(*FAST, *FOLDER), Path("outputs/test"))


def test_unequal_and_tiny_classes(home, capsys):
    save(home / "photos/cat", photos(60))
    save(home / "photos/dog", photos(5, seed=2))
    lines = problems(capsys, "dataset.labels=folders")
    assert any("1 of 2 classes with fewer than 50 samples (dog: 5)" in line for line in lines)
    assert any("cat has 60 samples, dog has 5" in line for line in lines)


def test_gray_pictures_need_one_channel(home, capsys):
    save(home / "photos", photos(9)[:, :1].expand(-1, 3, -1, -1))
    assert any("type dataset.channels=1, which is faster" in line for line in problems(capsys))
    lines = problems(capsys, "dataset.channels=1")
    assert not any("gray" in line for line in lines)


# ---- The page about the data


def test_the_page_shows_what_the_networks_get(home, capsys):
    sound = photos(60)
    save(home / "photos/cat", sound)
    save(home / "photos/dog", sound[:1], start=100)
    recompressed(Image.open(home / "photos/cat/005.png")).save(home / "photos/dog/105.png")
    lines = told(
        capsys, *FOLDER, "dataset.resize=crop", "dataset.labels=folders", "check=data.html"
    )
    assert lines.splitlines()[-1] == "the data: data.html"
    assert [path.name for path in home.iterdir() if path.name != "photos"] == ["data.html"]
    page = Path("data.html").read_text()
    for words in (
        *("What the networks get", "Sizes", "Modes", "Classes", "Nearly the same"),
        *("Exact copies", "cat/005.png · dog/105.png", "cat/000.png, dog/100.png", "64 to 95"),
    ):
        assert words in page
    assert page.count('src="data:image/png;base64,') == 2  # the grid and one pair
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_is_never_written_over_a_file(home):
    Path("data.html").write_text("mine")
    with pytest.raises(ConfigError, match=r"check: data\.html already exists"):
        small("check=data.html")
    assert Path("data.html").read_text() == "mine"


@pytest.mark.parametrize("value", ["ture", "data.pdf", "1.5", "[a]", "null"])
def test_other_values_of_check_are_refused(value):
    with pytest.raises(ConfigError, match="check: expected"):
        small(f"check={value}")


def test_samples_of_the_page_are_those_of_the_first_batches(home, capsys):
    words = (*FOLDER, "dataset.resize=crop", "batch_size=16")
    save(home / "photos", photos(40))
    told(capsys, *words, "check=data.html")
    trained(small(*FAST, *words, "every.preview=4"), home / "run")
    shown = pictures_of(Path("data.html").read_text())[0]
    saved = np.asarray(Image.open(next((home / "run/samples").glob("*-0000000.png"))))
    assert np.array_equal(shown, saved)


def test_the_page_shows_the_augmentation(home, capsys):
    save(home / "photos", photos(40))
    words = (*FOLDER, "dataset.resize=crop", "augment=ada")
    told(capsys, *words, "check=adapted.html")
    told(capsys, *words, "augment.p=0", "check=none.html")
    adapted, none = (Path(name).read_text() for name in ("adapted.html", "none.html"))
    assert "augment=ada at p=0.5 (the run adapts p, from 0 on)" in adapted
    (plain, strong), (same, weak) = (pictures_of(page) for page in (adapted, none))
    assert np.array_equal(plain, same)
    assert np.array_equal(weak, same)
    assert np.abs(strong.astype(int) - plain).mean() > 10


def pictures_of(page: str) -> list[np.ndarray]:
    """The embedded pictures of a page."""
    texts = re.findall(r'base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in texts]
