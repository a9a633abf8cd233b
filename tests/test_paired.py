"""Pairs of images: matched by name, side by side, or made by a degradation."""

import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.sets import datasets
from gan_cli.utils.errors import ConfigError

COLORS = np.random.default_rng(0).integers(0, 256, (8, 16, 12, 3), np.uint8)  # (N, H, W, C)


@pytest.fixture
def folders(tmp_path):
    """Eight pairs of small pictures: gray sources, whose target is the same in colour."""
    for i, pixels in enumerate(COLORS):
        for key, image in (("source", pixels[..., 0]), ("target", pixels)):
            place = tmp_path / key / ("sub" if i % 2 else ".")
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{i}.{'png' if i else 'bmp'}")
    return tmp_path


def both(folders: Path, **options):
    places = {key: str(folders / key) for key in ("source", "target")}
    return opened(**places, source_channels=1, **options)


def opened(**options):
    return datasets.build({"name": "paired", "held_out": 0, **options}, where="dataset")


def fault(**options) -> str:
    with pytest.raises(ConfigError) as raised:
        opened(**options)
    (line,) = raised.value.faults
    return line


def feed_of(dataset, resident: bool):
    settings = {"rank": 0, "world": 1, "resident_gib": 1.0, "workers": 0}
    device = torch.device("cpu")
    return open_feed(dataset, batch_size=4, seed=1, device=device, resident=resident, **settings)


def test_files_of_equal_names_are_pairs_whatever_their_format(folders):
    (folders / "target" / "2.png").unlink()
    Image.fromarray(COLORS[2]).save(folders / "target" / "2.tiff")
    dataset = both(folders)
    assert {k: f.shape for k, f in dataset.spec.fields.items()} == {
        "source": (1, 16, 12),
        "target": (3, 16, 12),
    }
    for i in range(8):
        sample = dataset[i]
        assert torch.equal(sample["source"], sample["target"][:1])
    assert len({sample["target"].sum().item() for sample in map(dataset.__getitem__, range(8))}) > 6


def test_a_zip_archive_and_a_folder_make_the_same_pairs(folders):
    with zipfile.ZipFile(folders / "target.zip", "w") as archive:
        for file in (folders / "target").rglob("*.*"):
            archive.write(file, file.relative_to(folders / "target"))
    plain = both(folders)
    packed = opened(
        source=str(folders / "source"), target=str(folders / "target.zip"), source_channels=1
    )
    assert packed.fingerprint() == plain.fingerprint()
    assert torch.equal(packed.tensors()["target"], plain.tensors()["target"])


def test_images_without_a_partner_are_told_by_name(folders):
    (folders / "target" / "sub" / "3.png").unlink()
    (folders / "source" / "4.png").unlink()
    with pytest.raises(ConfigError) as raised:
        both(folders)
    first, second = raised.value.faults
    assert first.startswith("dataset.source: 1 (sub/3) of 7 images without a partner")
    assert second.startswith("dataset.target: 1 (4) of 7 images without a partner")
    assert "dataset.skip_unmatched=true" in first
    assert len(both(folders, skip_unmatched=True)) == 6


def test_two_files_of_one_name_are_told_with_both(folders):
    Image.fromarray(COLORS[2]).save(folders / "source" / "2.tiff")
    with pytest.raises(ConfigError, match=r"dataset\.source: 1 names .* 2\.png and 2\.tiff"):
        both(folders)


def test_folders_without_a_common_name_are_refused_even_if_others_are_left_out(tmp_path):
    for key, name in (("source", "a"), ("target", "b")):
        (tmp_path / key).mkdir()
        Image.fromarray(COLORS[0]).save(tmp_path / key / f"{name}.png")
    with pytest.raises(ConfigError, match=r"dataset\.source: 1 \(a\) of 1 images without"):
        both(tmp_path, skip_unmatched=True)


def test_a_pair_with_a_broken_image_is_left_out_as_a_whole(folders):
    (folders / "source" / "2.png").write_bytes(b"no image")
    with pytest.raises(ConfigError, match=r"dataset\.source: 1 of 8 images cannot be used"):
        both(folders)
    assert len(both(folders, skip_broken=True)) == 7


def test_sides_may_differ_in_size_or_be_brought_to_one(folders):
    for file in (folders / "source").rglob("*.*"):
        Image.open(file).resize((6, 8)).save(file)
    with pytest.raises(ConfigError, match="only 6x8 pixels"):
        both(folders)
    for file in (folders / "source").rglob("*.*"):
        Image.open(file).resize((24, 32)).save(file)
    shapes = {k: f.shape for k, f in both(folders).spec.fields.items()}
    assert shapes == {"source": (1, 32, 24), "target": (3, 16, 12)}
    resized = both(folders, size=8, resize="stretch")
    assert {f.shape[1:] for f in resized.spec.fields.values()} == {(8, 8)}


@pytest.fixture
def halves(tmp_path):
    """Images A|B: A is dark, B is light."""
    (tmp_path / "halves").mkdir()
    for i, pixels in enumerate(COLORS):
        joined = np.concatenate([pixels // 2, 128 + pixels // 2], 1)
        Image.fromarray(joined).save(tmp_path / "halves" / f"{i}.png")
    return str(tmp_path / "halves")


def test_halves_of_images_side_by_side_are_pairs(halves):
    there, back = opened(path=halves), opened(path=halves, direction="BtoA")
    left = torch.from_numpy(COLORS // 2).permute(0, 3, 1, 2)
    assert torch.equal(there.tensors()["source"], left)
    assert torch.equal(there.tensors()["target"], left + 128)
    assert torch.equal(back.tensors()["target"], left)
    assert torch.equal(there[3]["target"], left[3] + 128)


def test_resizing_halves_mixes_nothing_across_the_middle(halves):
    dataset = opened(path=halves, size=8, resize="stretch")
    alone = [Image.fromarray(pixels // 2).resize((8, 8), Image.LANCZOS) for pixels in COLORS]
    expected = torch.from_numpy(np.stack([np.asarray(image) for image in alone]))
    assert torch.equal(dataset.tensors()["source"], expected.permute(0, 3, 1, 2))


def test_an_odd_width_has_no_halves(halves):
    Image.fromarray(COLORS[0][:, :11]).save(Path(halves) / "odd.png")
    with pytest.raises(ConfigError) as raised:
        opened(path=halves)
    assert raised.value.faults[0].startswith("dataset.path: 1 of 9 images cannot be used")
    assert "odd.png: its width is odd, 11" in raised.value.faults[0]


def test_label_maps_become_a_channel_for_each_class(folders):
    maps = np.random.default_rng(1).integers(0, 4, (8, 16, 12), np.uint8)
    maps[0, 0, 0] = 255  # no class
    for i, file in enumerate(sorted((folders / "source").rglob("*.*"))):
        image = Image.fromarray(maps[i])
        if i % 2:  # with a palette, whose colours do not matter
            image.putpalette([7, 9, 200] * 256)
        image.save(file.with_suffix(".png"))
        if file.suffix != ".png":
            file.unlink()
    places = {key: str(folders / key) for key in ("source", "target")}
    dataset = opened(**places, source_classes=4)
    one_hot = dataset.tensors()["source"]
    assert one_hot.shape == (8, 4, 16, 12)
    assert set(one_hot.unique().tolist()) == {0, 255}
    found = torch.where(one_hot.amax(1) == 255, one_hot.argmax(1), 255)
    assert sorted(m.sum().item() for m in found) == sorted(int(m.sum()) for m in maps.astype(int))
    small = opened(**places, source_classes=4, size=8, resize="crop").tensors()["source"]
    assert set(small.sum(1).unique().tolist()) <= {0, 255}  # no mixture of classes
    assert "dataset.source: 8 of 8 images cannot be used" in fault(**places, source_classes=3)
    assert "leave one of the two keys out" in fault(**places, source_classes=4, source_channels=1)
    colored = {"source": places["target"], "target": places["target"]}
    assert "an image of mode RGB; label maps are gray" in fault(**colored, source_classes=4)


@pytest.mark.parametrize("resident", [True, False])
def test_flips_and_crops_are_those_of_both_sides(folders, resident):
    dataset = both(folders, hflip=True, crop=8)
    assert dataset.spec.shape == (3, 8, 8)
    whole = {tuple(COLORS[..., 0].reshape(8, -1)[i]) for i in range(8)}
    assert len(whole) == 8
    seen = set()
    for batch in islice(feed_of(dataset, resident).batches(0), 30):
        assert torch.equal(batch["source"], batch["target"][:, :1])
        seen |= {tuple(image.flatten().tolist()) for image in batch["source"]}
    assert len(seen) > 60  # of 8 pairs at 9 x 5 places, mirrored or not


def test_crops_of_smaller_sources_lie_at_the_same_place():
    """A box-downscaled crop of the target is the crop of the source, exactly."""
    images = {"name": "synthetic", "size": 16, "count": 12, "classes": 0}
    halved = {"name": "downscale", "factor": 2, "kernel": "box"}
    dataset = opened(images=images, degradation=halved, crop=6)
    assert dataset.spec.fields["source"].shape == (3, 3, 3)
    places = set()
    for batch in islice(feed_of(dataset, True).batches(0), 12):
        target = (batch["target"] + 1) * 127.5
        averaged = torch.nn.functional.avg_pool2d(target.round(), 2).round()
        torch.testing.assert_close((batch["source"] + 1) * 127.5, averaged, atol=1e-3, rtol=0)
        places |= {image.sum().item() for image in target}
    assert len(places) > 20
    sample = dataset[0]
    averaged = torch.nn.functional.avg_pool2d(sample["target"].float(), 2).round()
    assert torch.equal(sample["source"].float(), averaged)
    assert "no multiples of 2" in fault(images=images, degradation=halved, crop=7)


def test_streamed_and_resident_feeds_give_the_same_pairs(folders):
    options = {"degradation": {"name": "noise"}, "path": str(folders / "target"), "seed": 5}
    streams = [feed_of(opened(**options), resident).batches(0) for resident in (True, False)]
    for one, other in islice(zip(*streams, strict=True), 3):
        assert all(torch.equal(one[key], other[key]) for key in ("source", "target"))


def test_held_out_pairs_are_not_trained_on(folders):
    dataset = both(folders, held_out=0.25)
    assert len(dataset) == 6
    held = dataset.held_out()
    assert held["source"].shape == (2, 1, 16, 12)
    trained = {image.sum().item() for image in dataset.tensors()["target"]}
    assert not trained & {image.sum().item() for image in held["target"]}
    assert both(folders, held_out=0.25, seed=1).fingerprint() != dataset.fingerprint()


def test_labels_of_other_images_come_along():
    node = {"name": "mnist_5k", "size": 28}
    dataset = opened(images=node, degradation={"name": "edges"}, held_out=0.1)
    source = datasets.build(node, where="")
    assert dataset.spec.classes == 10
    i = next(i for i in range(100) if dataset.labels()[i] == 7)
    assert dataset[i]["label"] == 7
    index = (source.tensors()["real"] == dataset[i]["target"]).flatten(1).all(1).nonzero()[0]
    assert source.labels()[index] == 7
    assert dataset.provides({"images": {**node, "without": []}, "held_out": 0.1}) == {
        *("source", "target", "label", "held_out")
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "dataset.path: has no value"),
        ({"source": "a"}, "dataset.target: has no value"),
        ({"target": "a"}, "dataset.source: has no value"),
        ({"path": "a", "source": "b", "target": "c"}, "is one of several: path, source, target"),
        ({"images": {"name": "synthetic"}}, "dataset.degradation: has no value"),
        ({"source": "a", "target": "b", "degradation": "edges"}, "dataset.degradation: makes"),
        ({"path": "a", "degradation": "edgs"}, "did you mean 'edges'?"),
        ({"path": "a", "degradation": {"name": "noise", "deviation": -1}}, "must be above 0"),
        ({"path": "a", "degradation": "edges", "direction": "BtoA"}, "dataset.direction: is for"),
        ({"path": "a", "skip_unmatched": True}, "dataset.skip_unmatched: does nothing"),
        ({"path": "/nowhere/at/all"}, "dataset.path: /nowhere/at/all does not exist"),
        (
            {"images": {"name": "synthetic"}, "degradation": "edges", "size": 8},
            "dataset.size: does nothing with these pairs; type dataset.images.size",
        ),
        (
            {"images": {"name": "synthetic", "channels": 1}, "degradation": "gray"},
            "dataset.degradation: 'gray' takes the colours away",
        ),
        (
            {"images": {"name": "synthetic", "size": 30}, "degradation": "downscale"},
            "dataset.degradation.factor: images of 30 x 30 cannot be divided by 4; resize them to "
            "28 x 28",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value) or "nothing",
)
def test_what_makes_no_pairs_is_refused(options, told):
    assert told in fault(**options)
