"""gan-sample input=PHOTO format=input: files in the format that they had."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from gan_cli.sampling.photo_files import kept_suffix, save_photo
from tests.test_photos import run_of, sampled
from tests.test_super_resolution import photo


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    run_of("x", folder)
    return folder


@pytest.fixture
def work(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").symlink_to(home / "outputs")
    (tmp_path / "in").mkdir()
    return tmp_path


def test_photos_stay_in_their_format(work):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    formats = {"a.jpg": "JPEG", "b.JPEG": "JPEG", "c.tif": "TIFF", "d.webp": "WEBP", "e.png": "PNG"}
    for name in formats:
        Image.fromarray(photo(8, 12)).save(f"in/{name}", icc_profile=profile, exif=exif)
    Image.fromarray(photo(8, 12)).save("in/f.bmp")
    sampled(format="input", output="kept")
    sampled(output="png")
    for name, format in {**formats, "f.bmp": "BMP"}.items():
        with Image.open(f"kept/{name}") as image, Image.open(f"png/{Path(name).stem}.png") as other:
            assert image.format == format
            assert image.size == ((24, 16) if name == "f.bmp" else (16, 24))
            assert image.info.get("icc_profile") == (None if name == "f.bmp" else profile)
            lossy = format in ("JPEG", "WEBP")
            difference = np.abs(np.asarray(image).astype(int) - np.asarray(other))
            assert difference.max() == 0 if not lossy else difference.mean() < 4


@pytest.mark.parametrize(
    ("suffix", "channels", "profile", "expected"),
    [
        (".jpg", 3, b"x", ".jpg"),
        (".JPG", 1, None, ".JPG"),
        (".jpg", 4, None, ".png"),
        (".bmp", 4, None, ".png"),
        (".bmp", 3, b"x", ".png"),
        (".tif", 4, b"x", ".tif"),
        (".tif", 2, None, ".tif"),
        (".webp", 4, None, ".webp"),
        (".ppm", 4, None, ".png"),
        (".pgm", 3, None, ".png"),
        (".ppm", 3, None, ".ppm"),
        (".tga", 4, None, ".tga"),
        (".jp2", 3, b"x", ".png"),
        (".unknown", 3, None, ".png"),
    ],
)
def test_png_where_the_format_loses_transparency_or_profile(
    tmp_path, suffix, channels, profile, expected
):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, channels), np.uint8)
    found = kept_suffix(suffix, pixels, profile)
    assert found == expected
    if suffix != ".unknown":
        save_photo(tmp_path / f"a{found}", pixels, None)
        with Image.open(tmp_path / f"a{found}") as image:
            assert len(image.getbands()) == channels


def test_sides_that_a_format_does_not_hold_become_png():
    assert kept_suffix(".webp", np.zeros((1, 16_384, 3), np.uint8), None) == ".png"
    assert kept_suffix(".webp", np.zeros((1, 16_383, 3), np.uint8), None) == ".webp"


def test_profiles_of_other_colours_are_left_out(work):
    """A photo in CMYK becomes RGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = b"CMYK"
    picture = Image.fromarray(photo(8, 12)).convert("CMYK")
    picture.save("in/a.jpg", icc_profile=bytes(profile))
    sampled(format="input")
    with Image.open("out/a.jpg") as image:
        assert image.mode == "RGB"
        assert "icc_profile" not in image.info


def test_transparent_photos_of_a_format_without_alpha_become_png(work):
    alpha = np.tile(np.arange(0, 250, 25, dtype=np.uint8), (8, 1))
    Image.fromarray(np.dstack([photo(8, 10), alpha])).save("in/a.bmp")
    Image.fromarray(np.dstack([photo(8, 10), alpha])).save("in/b.webp", lossless=True)
    sampled(format="input")
    assert Image.open("out/b.webp").mode == "RGBA"
    assert {path.suffix for path in Path("out").glob("a.*")} <= {".png", ".bmp"}
