"""dataset=patches: parts of photos, read without decoding the whole, have the same bits."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.files import photo_store, store
from gan_cli.data.files.image import read_image
from gan_cli.data.files.rasters import raster_of
from gan_cli.data.sets import patches as module
from gan_cli.data.sets.patches import Patches
from gan_cli.utils.errors import ConfigError, DataError, StorageError
from tests.streaming import feed_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, (name, size) in enumerate(
        {"a.jpg": (40, 33), "b.png": (20, 37), "c.bmp": (31, 21), "d.ppm": (22, 50)}.items()
    ):
        Image.fromarray(picture(*size, seed=i)).save(folder / name)
    Image.fromarray(picture(50, 24, seed=9)).save(folder / "e.tif")
    Image.fromarray(picture(50, 24, seed=10)).save(folder / "f.tif", compression="tiff_lzw")
    np.save(folder / "g.npy", picture(30, 30, seed=11))
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(picture(24, 40, seed=12)).save(folder / "h.tif", exif=turned)
    return folder


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of the files that are decoded for a patch."""
    found: list[str] = []
    whole = Patches.decode
    monkeypatch.setattr(
        Patches, "decode", lambda self, i: found.append(self.names[i]) or whole(self, i)
    )
    return found


def opened(path: Path, **options) -> Patches:
    return Patches(path=str(path), **{"size": 16, "stride": 7, **options})


def reals(data: Patches) -> torch.Tensor:
    return torch.stack([data[i]["real"] for i in range(len(data))])


def test_patches_have_the_same_bits_wherever_they_are_read(photos, monkeypatch, decoded):
    held = opened(photos)
    expected = reals(held)
    assert sorted(decoded) == held.names
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    decoded.clear()
    kept = opened(photos, store=True)
    assert torch.equal(reals(kept), expected)
    assert not decoded
    again = opened(photos, store=False)
    assert torch.equal(reals(again), expected)
    assert {*decoded} == {"a.jpg", "b.png", "f.tif", "h.tif"}  # others are not compressed
    assert held.fingerprint() == kept.fingerprint() == again.fingerprint()
    for data in (held, kept, again):
        assert torch.equal(data.places, held.places)


def test_batches_have_the_same_bits_with_workers(photos, monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    batches = []
    for wanted, workers in ((False, 0), (True, 1)):
        feed = feed_of(opened(photos, store=wanted), batch_size=4, workers=workers)
        iterator = feed.batches(0)
        batches.append([next(iterator)["real"] for _ in range(3)])
        feed.close()
    assert all(torch.equal(one, other) for one, other in zip(*batches, strict=True))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["a.bmp", "a.ppm", "a.tif"])
def test_uncompressed_files_are_read_in_parts(tmp_path, name, channels):
    pixels = picture(19, 23, channels)
    Image.fromarray(pixels.squeeze()).save(tmp_path / name)
    raster = raster_of(tmp_path / name, channels)
    assert raster is not None
    for top, left, height, width in ((0, 0, 19, 23), (3, 5, 9, 4), (18, 22, 1, 1), (0, 20, 2, 3)):
        part = pixels[top : top + height, left : left + width]
        found = raster.cut(top, left, height, width).permute(1, 2, 0).numpy()
        assert np.array_equal(found, part)
    assert raster_of(tmp_path / name, 4 - channels) is None  # read_image converts the colours


def test_strips_in_another_order_are_decoded(tmp_path):
    """Pillow reads strips wherever the file says they are."""
    pixels = picture(64, 300)
    Image.fromarray(pixels).save(tmp_path / "a.tif", tiffinfo={278: 8})  # rows per strip
    found = raster_of(tmp_path / "a.tif", 3)
    with Image.open(tmp_path / "a.tif") as image:
        assert len(image.tile) > 1
        offsets = [tile[2] for tile in image.tile]
    assert found is not None
    assert np.array_equal(found.cut(5, 7, 50, 200).permute(1, 2, 0), pixels[5:55, 7:207])
    content = (tmp_path / "a.tif").read_bytes()
    one, two = (offset.to_bytes(4, "little") for offset in offsets[:2])
    assert content.count(one + two) == 1
    (tmp_path / "b.tif").write_bytes(content.replace(one + two, two + one))
    assert raster_of(tmp_path / "b.tif", 3) is None
    swapped = np.asarray(read_image((tmp_path / "b.tif").read_bytes(), 3))
    assert np.array_equal(swapped[:8], pixels[8:16])


def test_files_too_large_to_be_read_as_a_whole_are_read_in_parts(photos, monkeypatch):
    expected = reals(opened(photos))
    for target in ("gan_cli.data.files.rasters", "gan_cli.data.files.zip_members"):
        monkeypatch.setattr(f"{target}.LARGEST", 3000)
    monkeypatch.setenv("GAN_CLI_CACHE", str(photos.parent / "other"))
    with pytest.raises(ConfigError, match=r"f\.tif: it has .* are read"):
        opened(photos)
    found = opened(photos, skip_broken=True)
    large = {path.name for path in photos.iterdir() if path.stat().st_size > 3000}
    assert large >= {"e.tif", "f.tif"}
    assert large & {*found.names} == large & {"d.ppm", "e.tif", "g.npy"}
    for i in range(len(found)):
        name = found.names[int(found.places[i, 0])]
        part = found[i]["real"]
        assert any(torch.equal(part, one) for one in expected), name


def test_truncated_files_are_broken(tmp_path):
    Image.fromarray(picture(20, 20)).save(tmp_path / "a.bmp")
    content = (tmp_path / "a.bmp").read_bytes()
    (tmp_path / "a.bmp").write_bytes(content[:-100])
    assert raster_of(tmp_path / "a.bmp", 3) is None
    with pytest.raises(ConfigError, match=r"a\.bmp: image file is truncated"):
        opened(tmp_path)


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "1", "I;16"])
def test_other_pixels_are_decoded(tmp_path, mode):
    array = np.zeros((16, 16), np.uint16) if mode == "I;16" else picture(16, 16)
    image = Image.fromarray(array)
    (image if mode == "I;16" else image.convert(mode)).save(tmp_path / "a.tif")
    assert raster_of(tmp_path / "a.tif", 3) is None
    assert raster_of(tmp_path / "a.tif", 1) is None


def test_later_starts_decode_nothing_and_a_changed_photo_makes_a_new_store(
    photos, monkeypatch, own_cache
):
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    opened(photos, store=True)
    (first,) = (own_cache / "store").glob("*.rows")
    with monkeypatch.context() as patch:
        patch.setattr(photo_store, "read_image", lambda *_: pytest.fail("decoded"))
        reals(opened(photos, store=True))
        reals(pickle.loads(pickle.dumps(opened(photos, store=True))))
    Image.fromarray(picture(20, 37, seed=99)).save(photos / "b.png")
    changed = opened(photos, store=True)
    (second,) = (own_cache / "store").glob("*.rows")
    assert first != second
    which = changed.names.index("b.png")
    index = int((changed.places[:, 0] == which).nonzero()[0])
    assert np.array_equal(
        changed[index]["real"].permute(1, 2, 0), picture(20, 37, seed=99)[:16, :16]
    )


def test_a_zip_archive_has_the_same_patches(photos, tmp_path, monkeypatch):
    (photos / "g.npy").unlink()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in photos.iterdir():
            archive.write(path, path.name)
    expected = reals(opened(photos))
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    assert torch.equal(reals(opened(tmp_path / "photos.zip", store=True)), expected)


def test_a_photo_that_changes_in_training_is_told(photos, monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    data = opened(photos, store=True)
    index = int((data.places[:, 0] == data.names.index("d.ppm")).nonzero()[0])
    content = (photos / "d.ppm").read_bytes()
    (photos / "d.ppm").write_bytes(content[:100])
    with pytest.raises(DataError, match=r"d\.ppm has changed since it was first read"):
        data[index]
    (photos / "d.ppm").unlink()
    with pytest.raises(DataError, match=r"d\.ppm cannot be read any more"):
        data[index]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((20, 20, 3)), r"an array of float64 \(20, 20, 3\), not of uint8 \(height, width"),
        (np.zeros((20, 20), np.uint8), r"an array of uint8 \(20, 20\)"),
        (np.array([{}], object), "an array of object"),
    ],
)
def test_arrays_that_are_no_images_are_broken(photos, array, words):
    np.save(photos / "z.npy", array)
    with pytest.raises(ConfigError, match=rf"z\.npy: {words}"):
        opened(photos)
    assert "z.npy" not in opened(photos, skip_broken=True).names


def test_without_room_the_store_is_refused_or_left_out(photos, monkeypatch, caplog):
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    monkeypatch.setattr(store, "LEAST", 0)
    monkeypatch.setattr(store, "free_disk", lambda _: 1000)
    with pytest.raises(
        StorageError, match=r"dataset\.store: 4 images take .* dataset\.store=false"
    ):
        opened(photos, store=True)
    caplog.set_level("INFO")
    assert opened(photos).rasters[0] is None
    assert "decoding images for every batch anew" in caplog.text
