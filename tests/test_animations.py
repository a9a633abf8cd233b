"""Animations through models: their times, their transparency, and the memory that they take."""

import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.sampling.moving import translate_clip
from gan_cli.utils.animations import GifWriter, animation
from gan_cli.utils.video import Clip, Frame
from tests.moving import Doubling, read, steps, translated
from tests.test_super_resolution import photo

pytest.importorskip("av")


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animations_keep_their_times_and_transparency(work, suffix):
    pictures = []
    for shade in (20, 120, 220):
        pixels = np.full((8, 10, 4), shade, np.uint8)
        pixels[..., 3] = np.where(np.arange(10) < 4, 0, 255)
        pictures.append(Image.fromarray(pixels))
    lengths = [70, 200, 90]
    pictures[0].save(
        f"in/a.{suffix}", save_all=True, append_images=pictures[1:], duration=lengths,
        lossless=True, disposal=2 if suffix == "gif" else 0,
    )  # fmt: skip
    with Image.open(translated(f"in/a.{suffix}", "b.gif")) as made:
        assert (made.n_frames, made.size, made.info["loop"]) == (3, (20, 16), 0)
        for number, (shade, length) in enumerate(zip((20, 120, 220), lengths, strict=True)):
            made.seek(number)
            assert made.info["duration"] == length
            pixels = np.asarray(made.convert("RGBA"))
            assert (pixels[:, :7, 3] == 0).all()
            assert (pixels[:, 9:, 3] == 255).all()
            assert np.abs(pixels[:, 9:, 0].astype(int) - shade).max() <= 2


def test_gifs_of_fast_videos_last_as_long(work):
    with open("a.gif", "wb") as file:
        writer = GifWriter(file)
        for frame in steps(90, Fraction(60)):
            writer.add(frame)
        writer.close()
    with Image.open("a.gif") as made:
        lengths = []
        for number in range(made.n_frames):
            made.seek(number)
            lengths.append(made.info["duration"])
    assert min(lengths) >= 20
    assert sum(lengths) == pytest.approx(1500, abs=20)


@pytest.mark.parametrize("target", ["b.gif", "b.mp4"])
def test_gray_models_keep_transparency(work, target):
    pixels = np.full((8, 10, 4), 90, np.uint8)
    pixels[..., 3] = np.where(np.arange(10) < 4, 0, 255)
    frames = [Frame(pixels, Fraction(i), Fraction(i + 1)) for i in range(2)]
    clip = Clip(iter(frames), 2, Fraction(1), Fraction(1), {})
    model = Doubling()
    model.channels = 1
    translate_clip(model, clip, "a", Path(target), False)
    if target == "b.gif":
        found = np.asarray(Image.open(target).convert("RGBA"))
        assert (found[:, :7, 3] == 0).all()
        assert np.array_equal(np.unique(found[:, 9:]), [90, 255])
    else:
        found = read(target)[0][0].astype(int)
        assert np.abs(found[:, :6] - 255).max() < 9
        assert np.abs(found[:, 10:] - 90).max() < 9


@pytest.mark.parametrize("target", ["b.mp4", "b.gif"])
def test_memory_does_not_grow_with_the_number_of_frames(work, target):
    peaks = []
    for count in (10, 200):
        clip = Clip(steps(count, Fraction(10), (32, 32)), count, Fraction(10), Fraction(1, 10), {})
        tracemalloc.start()
        translate_clip(Doubling(), clip, "a", Path(target), False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 60 * 64 * 64 * 3  # the bytes of 60 of the 190 frames


def test_still_files_are_no_animations(work):
    Image.fromarray(photo(8, 8)).save("a.gif")
    one, two = (Image.fromarray(photo(8, 8, i)) for i in range(2))
    one.save("pages.tif", save_all=True, append_images=[two])
    for name in ("a.gif", "pages.tif"):
        assert animation(Path(name).read_bytes()) is None
    assert animation(b"nothing") is None
