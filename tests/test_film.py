"""A film of the pictures that a training took."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.sampling.tasks import film
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.images import save_png
from tests.fuzz.outcome import outcome_of


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def shot(**keys):
    options = checked_options({"run": "x", "task": "film", **keys})
    return perform(options, None if options.run is None else Path("x")).splitlines()


def take(name, step, shade, size=(30, 40)):
    save_png(Path(f"x/samples/{name}-{step:07d}.png"), np.full((*size, 1), shade, np.uint8))


def test_film_shows_every_picture_in_order_of_steps():
    for step in (1000, 50, 200):
        take("samples", step, step // 5)
    take("reconstructions", 50, 0)
    told, *files = shot()
    assert told == "x: step 1000"
    home = Path("x/generated/pictures")
    assert sorted(map(Path, files)) == [home / "reconstructions.gif", home / "samples.gif"]
    gif = Image.open(home / "samples.gif")
    shades, durations, captions = [], [], []
    for i in range(gif.n_frames):
        gif.seek(i)
        frame = np.asarray(gif.convert("L"))
        assert frame.shape == (6 * 30 + 22, 6 * 40)  # enlarged, and a caption
        shades.append(frame[10, 10])
        captions.append(frame[180:].tobytes())
        durations.append(gif.info["duration"])
    assert shades == [10, 40, 200]
    assert len(set(captions)) == 3
    assert durations == [500, 500, 500 + 2000]  # the last one stays


def test_many_pictures_go_by_faster():
    for step in range(60):
        take("samples", step, 4 * step, size=(8, 8))
    shot(output="there")
    gif = Image.open("there/samples.gif")
    assert gif.n_frames == 60
    assert gif.info["duration"] == 160  # 6 a second, in the hundredths of a GIF


def test_pictures_of_another_size_are_fitted():
    """Of a run that was resumed with other settings."""
    take("samples", 1, 0, size=(20, 20))
    take("samples", 2, 255)
    shot(output="there")
    assert Image.open("there/samples.gif").n_frames == 2


def test_mp4(monkeypatch):
    imageio = pytest.importorskip("imageio.v3")
    pytest.importorskip("av")
    take("samples", 1, 0)
    take("samples", 2, 255)
    shot(format="mp4", output="there")
    frames = imageio.imread("there/samples.mp4", plugin="pyav")
    assert frames.shape == (2 + 2 * 2, 6 * 30 + 22, 6 * 40, 3)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"run": None, "checkpoint": "x.pt"}, "run: has no value; task=film is for runs, type run"),
        ({"seeds": "0-3"}, "seeds: does nothing with task=film"),
        ({"which": "best"}, "which: does nothing with task=film"),
        ({"weights": "live"}, "weights: does nothing with task=film"),
        ({"input": "."}, "input: does nothing with task=film"),
        ({"format": "grid"}, "format: unknown format of films 'grid'; Known: gif, mp4"),
        ({}, "x has no pictures; every.preview sets how often"),
    ],
)
def test_what_makes_no_film_is_refused(keys, told):
    Path("x.pt").touch()
    with pytest.raises(ConfigError, match=told):
        shot(**keys)


def test_a_folder_that_cannot_be_written_is_a_storage_error(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    take("samples", 1, 0)
    monkeypatch.setitem(film.WRITERS, "gif", full)
    with pytest.raises(StorageError, match="No space left on device"):
        shot()


def test_films_leave_out_the_pictures_of_data():
    take("real", 0, 9), take("real_photo", 0, 9), take("samples", 5, 9)
    told, *files = shot()
    assert told == "x: step 5"
    assert [Path(file).name for file in files] == ["samples.gif"]


def test_pictures_of_data_alone_are_no_film():
    take("real", 0, 9)
    with pytest.raises(ConfigError, match="has no pictures"):
        shot()


def main_of(command):
    return import_module(f"gan_cli.{command}").main


@pytest.mark.slow
def test_the_command_writes_a_film_of_a_training_that_can_be_read_back():
    pytest.importorskip("av")
    imageio = pytest.importorskip("imageio.v3")
    words = ("steps=6", "every.preview=2", "every.log=0", "metrics=none", "score_scale=false")
    sizes = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
    data = ("dataset=digits", "dataset.size=16", "batch_size=16", "device=cpu", "health=false")
    trained = outcome_of(main_of("train"), ["run=x", *data, *words, *sizes], limit=300)
    assert trained.status == 0, trained.err
    drawn = outcome_of(
        main_of("sample"), ["run=x", "task=film", "format=mp4", "output=there"], limit=300
    )
    assert drawn.status == 0, drawn.err
    assert Path(drawn.out.splitlines()[-1]) == Path("there/samples.mp4")
    frames = imageio.imread("there/samples.mp4", plugin="pyav")
    assert len(frames) == 3 + 2 * 2  # at steps 2, 4 and 6, and the last for two seconds more
    pictures = sorted(Path("outputs/x/samples").glob("samples-*.png"))
    assert len(pictures) == 3
    last = np.asarray(Image.open(pictures[-1]).convert("L"), float)
    height, width = last.shape
    factor = max(1, 256 // max(height, width))
    shown = frames[-1][: height * factor : factor, : width * factor : factor].mean(2)
    assert np.abs(shown - last).mean() < 12  # of 255; H.264 loses a little
