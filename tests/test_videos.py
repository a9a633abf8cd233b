"""gan-sample input=VIDEO, animations: what is read, and what is written."""

import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.sampling.moving import UnreadableError, clip_of, translate_clip
from gan_cli.sampling.photos import OneFile
from gan_cli.utils.animations import GifWriter, animation
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.video import Clip, Frame, Mp4Writer
from tests.test_photos import enlarged_by, run_of, sampled
from tests.test_super_resolution import photo

av = pytest.importorskip("av")
NTSC = Fraction(30_000, 1001)
QUARTER_TURN = bytes.fromhex("000000000001000000000000ffff0000" + "0" * 8 * 4 + "40000000")
UPRIGHT = bytes.fromhex("00010000" + "0" * 8 * 3 + "00010000" + "0" * 8 * 3 + "40000000")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    run_of("x", folder)
    return folder


@pytest.fixture
def work(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").symlink_to(home / "outputs")
    (tmp_path / "in").mkdir()
    return tmp_path


def steps(count: int, rate: Fraction, size=(12, 16), least=0):
    """Plain frames that become lighter."""
    for i in range(count):
        pixels = np.full((*size, 3), least + 200 * i // count, np.uint8)
        yield Frame(pixels, i / rate, (i + 1) / rate)


def film(path: str, count: int = 5, rate: Fraction = NTSC, sound: bool = False, **colours) -> None:
    clip = Clip(iter(()), None, rate, 1 / rate, colours)
    with open(path, "wb") as file:
        writer = Mp4Writer(file, clip)
        if sound:
            stream = writer.container.add_stream("aac", rate=48_000)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 48_000
        for frame in steps(count, rate):
            writer.add(frame)
        if sound:
            writer.container.mux([*stream.encode(silence), *stream.encode()])
        writer.close()


def read(path) -> tuple[list[np.ndarray], list[float], object]:
    """Frames, times and the stream of a video, by PyAV alone."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        stream = container.streams.video[0]
        found = [frame.to_ndarray(format="rgb24") for frame in frames]
        return found, [frame.time for frame in frames], stream.average_rate


class Doubling:
    """Stands for a model that enlarges twice."""

    channels, classes, factor = 3, None, 2

    def output(self, given):
        return given.colours.repeat(2, 0).repeat(2, 1)


def translated(path: str, target: str) -> Path:
    data = b"" if path.endswith((".mp4", ".mkv")) else Path(path).read_bytes()
    clip = clip_of(OneFile(Path(path)), path, data, False)
    translate_clip(Doubling(), clip, path, Path(target), False)
    return Path(target)


def test_a_video_is_translated_frame_by_frame_at_its_rate(work, caplog):
    film("a.mp4", sound=True)
    report = sampled(input="a.mp4")
    assert "out/a.mp4" in report
    assert "a.mp4: its sound is left out" in caplog.text
    found, times, rate = read("out/a.mp4")
    given, given_times, _ = read("a.mp4")
    assert rate == NTSC
    assert times == pytest.approx(given_times, abs=1e-4)
    assert [frame.shape for frame in found] == [(24, 32, 3)] * 5
    for before, after in zip(given, found, strict=True):
        wanted = enlarged_by("x", before)
        assert np.abs(after.astype(float) - wanted).mean() < 6
    assert Image.open("out/comparison.png").width > 0


def test_uneven_times_and_colours_are_kept(work):
    tick = Fraction(1, 1000)
    clip = Clip(iter(()), None, Fraction(10), tick, {"colorspace": 1, "color_range": 1})
    starts = [0, 40, 400, 430, 1000]
    with open("a.mp4", "wb") as file:
        writer = Mp4Writer(file, clip)
        for start in starts:
            pixels = np.tile(np.array([200, 40, 90], np.uint8), (16, 16, 1))
            writer.add(Frame(pixels, start * tick, (start + 30) * tick))
        writer.close()
    found, times, _ = read(translated("a.mp4", "b.mp4"))
    assert times == pytest.approx([start / 1000 for start in starts])
    assert np.abs(found[0].astype(int).mean((0, 1)) - [200, 40, 90]).max() < 5
    with av.open("b.mp4") as container:
        assert container.streams.video[0].codec_context.colorspace == 1


def test_videos_are_upright(work):
    film("a.mp4", 2)
    stored = Path("a.mp4").read_bytes()
    assert UPRIGHT in stored
    place = stored.index(UPRIGHT, stored.index(b"tkhd"))
    Path("a.mp4").write_bytes(stored[:place] + QUARTER_TURN + stored[place + len(UPRIGHT) :])
    found, _, _ = read(translated("a.mp4", "b.mp4"))
    assert found[0].shape == (32, 24, 3)


def test_odd_sides_get_a_row_or_column(work):
    frames = [Frame(photo(7, 9), Fraction(0), Fraction(1, 10))]
    with open("a.mp4", "wb") as file:
        writer = Mp4Writer(file, Clip(iter(()), 1, Fraction(10), Fraction(1, 10), {}))
        writer.add(frames[0])
        writer.close()
    found, _, _ = read("a.mp4")
    assert found[0].shape == (8, 10, 3)


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


@pytest.mark.parametrize(
    ("name", "format", "files"),
    [
        ("a.mp4", None, ["a.mp4"]),
        ("a.mp4", "input", ["a.mp4"]),
        ("a.mp4", "gif", ["a.gif"]),
        ("a.mp4", "png", ["a.mp4.frames/frame-000001.png", "a.mp4.frames/frame-000002.png"]),
        ("a.gif", None, ["a.gif"]),
        ("a.gif", "mp4", ["a.mp4"]),
    ],
)
def test_formats_of_moving_pictures(work, name, format, files):
    if name == "a.gif":
        one, two = (Image.fromarray(photo(8, 8, i)) for i in range(2))
        one.save("in/a.gif", save_all=True, append_images=[two], duration=100)
    else:
        film(f"in/{name}", 2)
    sampled(format=format)
    found = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.*"))
    assert [name for name in found if (Path("out") / name).is_file()] == [
        *files,
        "comparison.png",
    ]


def test_photos_and_videos_of_a_folder(work, caplog):
    film("in/a.mp4", 2)
    Image.fromarray(photo(8, 8)).save("in/a.jpg")
    Path("in/b.mov").write_bytes(b"no video")
    Path("in/c.mp4").write_bytes(Path("in/a.mp4").read_bytes()[:300])
    report = sampled()
    assert "left out b.mov: is no video that can be read" in caplog.text
    assert "left out c.mp4: is no video that can be read" in caplog.text
    assert "out/a.mp4" in report
    assert sorted(path.name for path in Path("out").iterdir()) == [
        *("a.mp4", "a.png", "comparison.png"),
    ]


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


def test_pixels_that_are_not_square_stay_so(work):
    clip = Clip(iter(()), None, Fraction(5), Fraction(1, 5), {}, aspect=Fraction(4, 3))
    with open("a.mp4", "wb") as file:
        writer = Mp4Writer(file, clip)
        for frame in steps(2, Fraction(5)):
            writer.add(frame)
        writer.close()
    translated("a.mp4", "b.mp4")
    with av.open("b.mp4") as container:
        assert container.streams.video[0].codec_context.sample_aspect_ratio == Fraction(4, 3)


def broken_after(count: int):
    yield from steps(count, Fraction(10))
    raise OSError("broken data stream")


@pytest.mark.parametrize("target", ["b.mp4", "b.gif"])
def test_nothing_is_left_of_a_video_that_breaks(work, target):
    clip = Clip(broken_after(3), None, Fraction(10), Fraction(1, 10), {})
    with pytest.raises(UnreadableError, match="broken data stream"):
        translate_clip(Doubling(), clip, "a", Path(target), False)
    assert sorted(path.name for path in work.iterdir()) == ["in", "outputs"]


def test_a_video_that_changes_its_size_is_refused(work):
    frames = [Frame(photo(8, width), Fraction(0), Fraction(1)) for width in (8, 10)]
    clip = Clip(iter(frames), None, Fraction(1), Fraction(1), {})
    with pytest.raises(UnreadableError, match="changes the size of its frames"):
        translate_clip(Doubling(), clip, "a", Path("b.mp4"), False)


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


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("a.mp4", None, r"^input: a\.mp4: is a video, which needs pip install 'gan-cli\[video\]'$"),
        ("a.gif", "mp4", r"^format: 'mp4' needs pip install 'gan-cli\[video\]'$"),
    ],
)
def test_without_pyav_the_error_names_what_to_install(work, monkeypatch, name, format, message):
    one, two = (Image.fromarray(photo(8, 8, i)) for i in range(2))
    one.save("in/a.gif", save_all=True, append_images=[two], duration=100)
    film("in/a.mp4", 2)
    monkeypatch.setattr("gan_cli.sampling.moving.readable", lambda: False)
    with pytest.raises(ConfigError, match=message):
        sampled(input=f"in/{name}", format=format)
    assert not Path("out").exists()


def test_playlists_open_no_other_files(work):
    film("a.mp4", 2)
    Path("in/list.mp4").write_text("#EXTM3U\n#EXTINF:1\n../a.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(ConfigError, match=r"list\.mp4: is no video that can be read"):
        sampled(input="in/list.mp4")


def test_still_files_are_no_animations(work):
    Image.fromarray(photo(8, 8)).save("a.gif")
    one, two = (Image.fromarray(photo(8, 8, i)) for i in range(2))
    one.save("pages.tif", save_all=True, append_images=[two])
    for name in ("a.gif", "pages.tif"):
        assert animation(Path(name).read_bytes()) is None
    assert animation(b"nothing") is None
