"""gan-sample input=VIDEO: what is read, and what is written."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.sampling.moving import UnreadableError, translate_clip
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.video import Clip, Frame, Mp4Writer
from tests.moving import NTSC, Doubling, film, read, steps, translated
from tests.test_photos import enlarged_by, run_of, sampled
from tests.test_super_resolution import photo

av = pytest.importorskip("av")
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


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "mpeg4"), ("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.mpg", "mpeg1video")],
)
def test_other_containers_are_read(work, name, codec):
    with av.open(name, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for i, frame in enumerate(steps(6, Fraction(25), (16, 32))):
            picture = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24")
            picture.pts, picture.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    found, times, rate = read(translated(name, "b.mp4"))
    assert len(found) == 6
    assert rate == 25
    assert times == pytest.approx([i / 25 for i in range(6)], abs=2e-3)
    shades = [frame.mean() for frame in found]
    assert shades == pytest.approx([200 * i // 6 for i in range(6)], abs=12)


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


def test_frames_that_are_missing_are_counted(work, caplog):
    with av.open("a.mp4", "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0", "g": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for i in range(20):
            picture = av.VideoFrame.from_ndarray(photo(64, 64, i), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    content = Path("a.mp4").read_bytes()
    Path("a.mp4").write_bytes(content[: len(content) // 2])
    count = len(read(translated("a.mp4", "b.mp4"))[0])
    assert 2 < count < 18
    assert f"a.mp4: only {count} of its 20 frames could be read" in caplog.text


def test_a_video_that_changes_its_size_is_refused(work):
    frames = [Frame(photo(8, width), Fraction(0), Fraction(1)) for width in (8, 10)]
    clip = Clip(iter(frames), None, Fraction(1), Fraction(1), {})
    with pytest.raises(UnreadableError, match="changes the size of its frames"):
        translate_clip(Doubling(), clip, "a", Path("b.mp4"), False)


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


def test_frames_too_large_for_the_format_leave_out_the_file(work):
    frames = [Frame(np.zeros((2, 20_000, 3), np.uint8), Fraction(0), Fraction(1))]
    clip = Clip(iter(frames), 1, Fraction(1), Fraction(1), {})
    with pytest.raises(UnreadableError, match=r"^format: mp4 holds no frames of 40000 x 4 .*=png$"):
        translate_clip(Doubling(), clip, "a", Path("b.mp4"), False)
    assert not Path("b.mp4").exists()


def test_playlists_open_no_other_files(work):
    film("a.mp4", 2)
    Path("in/list.mp4").write_text("#EXTM3U\n#EXTINF:1\n../a.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(ConfigError, match=r"list\.mp4: is no video that can be read"):
        sampled(input="in/list.mp4")
