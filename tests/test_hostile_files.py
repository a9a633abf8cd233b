"""Damaged and malicious data files are refused in one line, and within bounds of memory."""

import io
import json
import resource
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.data.files.arrays import read_npz
from gan_cli.data.sets.folder import Folder
from gan_cli.data.sets.npz import read_samples
from gan_cli.evaluation.sides import open_npz
from gan_cli.utils.errors import ConfigError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(file, "png")
    return file.getvalue()


def one_line(error: pytest.ExceptionInfo[ConfigError]) -> str:
    (fault,) = error.value.faults
    assert "\n" not in fault
    return fault


def archive(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def npy(header: str, content: bytes = b"", version: int = 1) -> bytes:
    text = header.encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + content


def header(shape: str, dtype: str = "|u1") -> str:
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


def entry_at(content: bytes, name: str) -> int:
    """The position of a member in the index of an archive."""
    return content.rindex(name.encode()) - 46


def saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_sound_arrays_are_read(tmp_path):
    found = read_npz(saved(tmp_path / "a.npz", images=IMAGES, labels=np.arange(6)), "real")
    assert np.array_equal(found["images"], IMAGES)
    assert found["labels"].tolist() == [0, 1, 2, 3, 4, 5]
    np.savez_compressed(tmp_path / "b.npz", images=IMAGES, scalar=np.array(3), empty=np.zeros((0,)))
    found = read_npz(tmp_path / "b.npz", "real")
    assert np.array_equal(found["images"], IMAGES)
    assert (found["scalar"], found["empty"].shape) == (3, (0,))
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert np.array_equal(read_npz(saved(tmp_path / "c.npz", x=fortran), "real")["x"], fortran)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x93NUMPY", bytes(200), b"PK\x05\x06" + bytes(9)]
)
def test_what_is_no_npz_file(content, tmp_path):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"real: .*a\.npz is not an intact npz file") as error:
        read_samples(tmp_path / "a.npz", "real")
    one_line(error)


def test_a_message_that_quotes_the_file_is_cut(tmp_path):
    """The length of a name in a local header makes zipfile quote as much of the file."""
    content = bytearray(saved(tmp_path / "a.npz", images=IMAGES).read_bytes())
    content[26:28] = struct.pack("<H", 60_000)
    (tmp_path / "a.npz").write_bytes(bytes(content) + bytes(70_000))
    with pytest.raises(ConfigError, match="not an intact npz file") as error:
        read_npz(tmp_path / "a.npz", "real")
    assert len(one_line(error)) < 500


def test_an_npz_file_with_a_flipped_byte_at_any_place(tmp_path):
    """It is read as it was, or refused: the checksums of a zip archive cover its arrays."""
    content = saved(tmp_path / "a.npz", images=IMAGES[:1], labels=np.arange(1)).read_bytes()
    refused = 0
    for at in range(0, len(content), 7):
        path = tmp_path / "b.npz"
        path.write_bytes(content)
        flip(path, at)
        found, told = {}, ""
        try:
            found = read_npz(path, "real")
        except ConfigError as error:
            told = str(error)
            refused += 1
        assert "\n" not in told
        assert np.array_equal(found.get("images", IMAGES[:1]), IMAGES[:1])
        assert found.get("labels", np.arange(1)).tolist() == [0]
    assert refused > 40


def test_an_npz_file_cut_at_any_place(tmp_path):
    content = saved(tmp_path / "a.npz", images=IMAGES[:1]).read_bytes()
    for length in range(0, len(content), 11):
        (tmp_path / "b.npz").write_bytes(content[:length])
        with pytest.raises(ConfigError, match="not an intact npz file"):
            read_npz(tmp_path / "b.npz", "real")


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (npy(header("(99999999999,)")), "needs 93.1 GiB, and there are 0 bytes"),
        (npy(header("(1000000, 1000000, 1000000)")), "needs 909,494.7 TiB"),
        (npy(header("(9,)"), bytes(8)), "needs 9 bytes, and there are 8 bytes"),
        (npy(header("(9,)"), bytes(10)), "needs 9 bytes, and there are 10 bytes"),
        (npy(header("(-1, -8)"), bytes(8)), "its shape"),
        (npy(header("(1,)", "|O"), bytes(8)), "Python objects"),
        (npy(header("(1,)"), bytes(1), version=9), "version 9.0"),
        (npy("{'descr': 'no'}"), "Header"),
        (npy("(" * 3000), "not an intact npz file"),
        (npy("import os"), "not an intact npz file"),
        (b"what is this", "magic"),
    ],
)
def test_arrays_whose_header_is_wrong(array, told, tmp_path):
    path = archive(tmp_path / "a.npz", {"images.npy": array})
    with pytest.raises(ConfigError, match=told) as error:
        read_samples(path, "fake")
    assert one_line(error).startswith(f"fake: {path}")


def limit_memory(extra: int) -> None:
    """Lets the process have `extra` more bytes of address space."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    now = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + extra, resource.RLIM_INFINITY))


@pytest.fixture
def little_memory():
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    before = resource.getrlimit(resource.RLIMIT_AS)
    yield lambda: limit_memory(300 * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, before)


def zeros(path: Path, name: str, size: int, start: bytes = b"") -> Path:
    """An archive of a file of `size` zeros, a thousandth of it on disk."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open(name, "w", force_zip64=True) as member,
    ):
        member.write(start)
        for _ in range(size // 2**20):
            member.write(bytes(2**20))
    return path


def lie(path: Path, name: str, size: int) -> None:
    """Makes the index of an archive claim another size of a member."""
    content = bytearray(path.read_bytes())
    at = entry_at(bytes(content), name)
    content[at + 24 : at + 28] = struct.pack("<I", size)
    path.write_bytes(content)


def test_a_bomb_among_arrays_is_not_unpacked(tmp_path, little_memory):
    count = 600 * 2**20
    path = zeros(tmp_path / "a.npz", "images.npy", count, npy(header(f"({count},)")))
    little_memory()
    with pytest.raises(ConfigError, match=r"array images: it would unpack from .* to 600\.0 MiB"):
        read_npz(path, "real")


def test_bombs_among_images_are_not_unpacked(tmp_path, little_memory):
    path = zeros(tmp_path / "a.zip", "0/a.png", 600 * 2**20)
    little_memory()
    with pytest.raises(
        ConfigError, match=r"a\.png: it has 600\.0 MiB, and at most 256\.0 MiB"
    ) as error:
        Folder(path=str(path))
    assert "1 of 1 images cannot be used" in str(error.value)
    lie(path, "0/a.png", 1000)  # no more is unpacked than the index says
    with pytest.raises(ConfigError, match=r"a\.png"):
        Folder(path=str(path))


def test_a_bomb_as_a_list_of_labels_is_not_unpacked(tmp_path, little_memory):
    path = zeros(tmp_path / "a.zip", "dataset.json", 600 * 2**20)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("a.png", png())
    little_memory()
    with pytest.raises(
        ConfigError, match=r"dataset\.labels: .*dataset\.json cannot be read \(it h"
    ):
        Folder(path=str(path), labels="json")


def test_a_file_that_is_too_large_is_not_read(tmp_path, little_memory):
    with open(tmp_path / "a.png", "wb") as file:
        file.truncate(3 * 2**30)
    little_memory()
    with pytest.raises(ConfigError, match=r"a\.png: it has 3\.0 GiB"):
        Folder(path=str(tmp_path))


def encrypted(content: bytearray, at: int) -> None:
    content[at + 8] |= 1


def compressed_by_99(content: bytearray, at: int) -> None:
    content[at + 10] = 99


@pytest.mark.parametrize(
    ("damage", "told"),
    [(encrypted, "is encrypted"), (compressed_by_99, "is compressed by method 99, not by deflate")],
)
def test_archives_that_need_more_than_deflate(damage, told, tmp_path):
    path = archive(tmp_path / "a.zip", {"0/a.png": png(), "0/b.png": png()})
    content = bytearray(path.read_bytes())
    damage(content, entry_at(bytes(content), "0/a.png"))
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"a.zip: 0/a.png {told}; unpack it") as error:
        Folder(path=str(path))
    one_line(error)
    arrays = saved(tmp_path / "a.npz", images=IMAGES)
    content = bytearray(arrays.read_bytes())
    damage(content, entry_at(bytes(content), "images.npy"))
    arrays.write_bytes(content)
    with pytest.raises(ConfigError, match=f"images.npy {told}"):
        read_npz(arrays, "real")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_archives_by_their_compression(method, tmp_path):
    path = archive(tmp_path / "a.zip", {f"{i}.png": png() for i in range(3)}, method)
    assert len(Folder(path=str(path))) == 3


@pytest.mark.parametrize("damage", ["checksum", "cut stream"])
def test_a_damaged_list_of_labels_in_an_archive(damage, tmp_path):
    labels = json.dumps({"labels": [["a.png", 0]] * 2000}).encode()
    path = archive(tmp_path / "a.zip", {"a.png": png(), "dataset.json": labels})
    content = bytearray(path.read_bytes())
    at = entry_at(bytes(content), "dataset.json")
    if damage == "checksum":
        content[at + 16] ^= 1
    else:
        (size,) = struct.unpack("<I", content[at + 20 : at + 24])
        content[at + 20 : at + 24] = struct.pack("<I", size // 2)
    path.write_bytes(content)
    with pytest.raises(
        ConfigError, match=r"dataset\.labels: .*dataset\.json cannot be read"
    ) as error:
        Folder(path=str(path), labels="json")
    one_line(error)


def test_names_that_leave_the_archive_stay_inside(tmp_path):
    """Nothing is ever unpacked to the disk; such a name is that of a file of the archive."""
    path = archive(tmp_path / "a.zip", {"../../a.png": png(), "/etc/b.png": png()})
    assert len(Folder(path=str(path))) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


MU, SIGMA = np.zeros(3), np.eye(3)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"mu": MU}, "there is no sigma"),
        ({"mu": MU, "sigma": SIGMA, "n": np.array(2.5)}, "needs a whole number"),
        ({"mu": MU, "sigma": SIGMA, "n": np.array("many")}, "needs a whole number"),
        ({"mu": MU, "sigma": SIGMA, "n": np.array([5, 6])}, "needs a whole number"),
        ({"mu": MU, "sigma": SIGMA, "n": np.array(-3)}, "needs a whole number"),
        ({"mu": MU, "sigma": SIGMA, "n": np.array(2**64 - 1, np.uint64)}, "needs a whole"),
        ({"mu": MU, "sigma": SIGMA, "about": np.array("{")}, "about does not describe"),
        ({"mu": MU, "sigma": SIGMA, "about": np.array("[]")}, "about does not describe"),
        ({"mu": MU, "sigma": SIGMA, "about": np.array('{"features": 3}')}, "about does not"),
        ({"mu": MU, "sigma": SIGMA, "about": np.array('{"content": {}}')}, "about does not"),
        ({"mu": MU, "sigma": SIGMA, "about": MU}, "about does not describe"),
        ({"mu": MU.astype("S4"), "sigma": SIGMA}, "mu must hold real numbers"),
        ({"mu": MU + np.nan, "sigma": SIGMA}, "mu is not finite"),
        ({"mu": MU[:2], "sigma": SIGMA}, "these are"),
    ],
)
def test_damaged_statistics(arrays, told, tmp_path):
    with pytest.raises(ConfigError, match=told) as error:
        open_npz(saved(tmp_path / "a.npz", **arrays), "real", None)
    assert one_line(error).startswith("real: ")
