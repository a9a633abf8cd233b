"""Image files of unusual depth and colour, and damage that decoders pass over in silence."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from gan_cli.data.files.image import read_image
from gan_cli.data.sets.folder import Folder
from gan_cli.utils.errors import ConfigError

RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))  # (64, 64), black to white
COLOURS = np.stack([RAMP, RAMP.T, RAMP // 2 + RAMP.T // 2], 2)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def tiff(pixels, bits, sample_format=1, white=1, order="<"):
    """A gray TIFF file of 64x64 pixels, written by hand."""
    tags = [(256, 64), (257, 64), (258, bits), (259, 1), (262, white), (273, 8), (277, 1)]
    tags += [(278, 64), (279, len(pixels)), (339, sample_format)]
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8 + len(pixels))
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    return head + pixels + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def twelve_bits(gray):
    """Pixels packed as TIFF stores them, two in three bytes."""
    wide = gray.astype(np.uint32) * 4095 // 255
    first, second = wide[:, ::2], wide[:, 1::2]
    parts = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
    return np.stack(parts, 2).astype(np.uint8).tobytes()


SHORT = RAMP.astype(np.uint16) * 257


@pytest.mark.parametrize(
    "data",
    [
        tiff(RAMP.tobytes(), 8),
        tiff((255 - RAMP).tobytes(), 8, white=0),
        tiff(SHORT.astype("<u2").tobytes(), 16),
        tiff(SHORT.astype(">u2").tobytes(), 16, order=">"),
        tiff((65535 - SHORT).astype("<u2").tobytes(), 16, white=0),
        tiff(twelve_bits(RAMP), 12),
        encoded(Image.fromarray(SHORT), "PNG"),
        encoded(Image.fromarray(SHORT), "JPEG2000"),
        b"P5 64 64 65535\n" + SHORT.astype(">u2").tobytes(),
    ],
    ids=["8", "8-inverted", "16", "16-big", "16-inverted", "12", "png", "jp2", "pgm"],
)
def test_gray_of_any_depth_reaches_from_black_to_white(data):
    read = np.asarray(read_image(data, 1)).astype(int)
    assert abs(read - RAMP).max() <= 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(RAMP.astype("<f4").tobytes(), 32, 3), "floating-point pixels"),
        (tiff(RAMP.astype("<u4").tobytes(), 32), "32-bit pixels, whose range is unknown"),
        (tiff(RAMP.astype("<i4").tobytes(), 32, 2), "pixels with a sign"),
        (tiff(SHORT.astype("<i2").tobytes(), 16, 2), "pixels with a sign"),
        (tiff(RAMP.astype("i1").tobytes(), 8, 2), "pixels with a sign"),
        (b"Pf 64 64 -1.0\n" + RAMP.astype("<f4").tobytes(), "floating-point pixels"),
    ],
    ids=["float", "u32", "i32", "i16", "i8", "pfm"],
)
def test_pixels_of_unknown_range_are_refused(data, words):
    with pytest.raises(ValueError, match=f"{words}.*save it with 8 or 16 bits"):
        read_image(data, 1)


def lab():
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(Image.fromarray(COLOURS), *profiles, outputMode="LAB")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", ["LAB", "CMYK", "YCbCr", "RGBA"])
def test_colours_of_tiff_files(mode, channels):
    image = Image.fromarray(COLOURS)
    saved = encoded(lab() if mode == "LAB" else image.convert(mode), "TIFF")
    wanted = np.asarray(image.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])).astype(int)
    assert abs(np.asarray(read_image(saved, channels)) - wanted).mean() < 2


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP", "AVIF", "MPO"])
def test_the_first_frame_or_page_is_read(kind):
    frames = [Image.fromarray(COLOURS), Image.new("RGB", (64, 64), "red")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert abs(np.asarray(read_image(data, 3)).astype(int) - COLOURS).mean() < 12


def noise(mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9", bytes(9999)])
def test_a_jpeg_that_ends_early_is_damaged(mode, share, end):
    """However the file goes on, libjpeg fills what is missing with gray and says nothing."""
    whole = encoded(noise(mode), "JPEG", quality=90)
    cut = whole[: int(len(whole) * share)].rstrip(b"\xff") + end
    with pytest.raises((OSError, ValueError), match="truncated"):
        read_image(cut, 3)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("size", [(8, 8), (61, 67), (64, 64)])
def test_a_gray_corner_alone_is_no_damage(size, quality, progressive):
    gray = np.full((*size, 3), 128, np.uint8)
    gray[: size[0] // 2] = np.random.default_rng(0).integers(0, 256, (size[0] // 2, size[1], 3))
    for mode in ("L", "RGB", "CMYK"):
        image = Image.fromarray(gray).convert(mode)
        data = encoded(image, "JPEG", quality=quality, progressive=progressive)
        assert read_image(data, 3).size == size[::-1]
        assert read_image(data + b"what cameras add", 3).size == size[::-1]


def test_a_png_of_wrong_checksums_is_damaged():
    data = bytearray(encoded(noise(), "PNG"))
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    with pytest.raises((OSError, ValueError, SyntaxError), match=r"damaged|broken"):
        read_image(bytes(data), 3)


def test_metadata_that_make_no_sense_do_no_harm():
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"no exif at all"):
        data = encoded(noise(), "JPEG", exif=exif)
        assert read_image(data, 3).size == (64, 96)


def header(width, height):
    """A PNG file of black pixels, which are not stored one by one."""
    body = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    chunks = ((b"IHDR", body), (b"IDAT", pixels), (b"IEND", b""))
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
             for k, d in chunks]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_sizes_that_are_too_large_are_told_in_words(tmp_path):
    (tmp_path / "a.png").write_bytes(header(20_000, 10_000))
    (tmp_path / "b.png").write_bytes(header(16, 16))
    with pytest.raises(ConfigError, match=r"a\.png: more than 178,956,970 pixels; make it smaller"):
        Folder(path=str(tmp_path))


def test_small_and_empty_files_are_told_and_one_image_is_enough(tmp_path):
    (tmp_path / "a.png").write_bytes(header(1, 1))
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(ConfigError) as caught:
        Folder(path=str(tmp_path))
    assert "2 of 2 images cannot be used; no image is left" in str(caught.value)
    assert "a.png: only 1x1 pixels" in str(caught.value)
    assert "b.png: empty file" in str(caught.value)
    (tmp_path / "c.png").write_bytes(header(8, 8))
    assert len(Folder(path=str(tmp_path), skip_broken=True)) == 1
