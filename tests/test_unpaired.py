"""dataset=unpaired: two independent sides, from folders or other data sets; dataset=known_map."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.dataset import datasets
from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.sets.random_crop import RandomCrop
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import composed

GRAY = {"name": "synthetic", "size": 16, "channels": 1, "count": 12, "classes": 0}


def save(folder, count, size=(20, 16), mode="RGB"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = np.full((size[1], size[0], 3), 10 * i + 5, np.uint8)
        pixels[::2, ::3] = 200  # not constant
        Image.fromarray(pixels).convert(mode).save(folder / f"{i}.png")
    return str(folder)


def opened(**options):
    return datasets.build({"name": "unpaired", **options}, where="dataset")


def feed_of(dataset, batch_size=4):
    return open_feed(
        dataset,
        batch_size=batch_size,
        seed=0,
        rank=0,
        world=1,
        device=torch.device("cpu"),
        resident=None,
        resident_gib=1,
        workers=0,
    )


def test_folders_archives_and_data_sets_can_be_mixed(tmp_path):
    folder = save(tmp_path / "a", 5)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for file in (tmp_path / "a").iterdir():
            archive.write(file, file.name)
    both = opened(source=folder, target=str(tmp_path / "b.zip"))
    assert {key: f.shape for key, f in both.spec.fields.items()} == dict.fromkeys(
        ("source", "target"), (3, 16, 20)
    )
    assert (both.spec.target, both.spec.inputs, both.spec.classes) == ("target", ("source",), 0)
    mixed = opened(source=GRAY, target=folder)
    assert mixed.spec.fields["source"].shape == (1, 16, 16)
    assert [len(part) for part in mixed.parts()] == [12, 5]


def test_sides_are_drawn_in_independent_orders(tmp_path):
    folder = save(tmp_path / "a", 8)
    batches = feed_of(opened(source=folder, target=folder), 8).batches(0)
    found = []
    for _ in range(20):
        batch = next(batches)
        sides = [(batch[side][:, 0, 1, 1] * 127.5).round().tolist() for side in batch]
        assert sorted(sides[0]) == sorted(sides[1])  # an epoch each
        found += zip(*sides, strict=True)
    assert len(set(found)) > 50  # of 64 pairs; 58.9 are expected of 160 draws
    again = next(feed_of(opened(source=folder, target=folder), 8).batches(19))
    assert all(torch.equal(again[key], batch[key]) for key in batch)


def test_published_protocol_resize_then_crop_then_flip(tmp_path):
    """Images are resized to 286, cut to 256 and mirrored; here 18 and 16, each side on its own."""
    folder = save(tmp_path / "a", 6)
    dataset = opened(source=folder, target=GRAY, size=18, resize="stretch", crop=16, hflip=True)
    assert {f.shape for f in dataset.spec.fields.values()} == {(3, 16, 16), (1, 16, 16)}
    assert all(isinstance(part, RandomCrop) for part in dataset.parts())
    assert [part.hflip for part in dataset.parts()] == [True, False]
    batch = next(feed_of(dataset).batches(0))
    assert {key: value.shape[1:] for key, value in batch.items()} == {
        "source": (3, 16, 16), "target": (1, 16, 16)
    }  # fmt: skip
    assert dataset[0]["source"].shape == (3, 16, 16)


def test_channels_of_each_side(tmp_path):
    folder = save(tmp_path / "a", 4)
    dataset = opened(source=folder, target=folder, source_channels=1)
    assert [f.shape[0] for f in dataset.spec.fields.values()] == [1, 3]
    assert opened(source=folder, target=folder, channels=1).spec.fields["source"].shape[0] == 1


def test_the_fingerprint_knows_both_sides_and_the_crop(tmp_path):
    one, other = save(tmp_path / "a", 4), save(tmp_path / "b", 5)
    options = [
        {"source": one, "target": other},
        {"source": other, "target": one},
        {"source": one, "target": other, "crop": 8},
        {"source": one, "target": one},
    ]
    assert len({opened(**o).fingerprint() for o in options}) == 4


def fault_of(**options):
    with pytest.raises(ConfigError) as caught:
        opened(**options)
    assert len(caught.value.faults) == 1
    return caught.value.faults[0]


def test_bad_input_is_one_line_that_names_the_side(tmp_path):
    good, empty = save(tmp_path / "a", 4), str(tmp_path / "none")
    assert fault_of(source=empty, target=good).startswith("dataset.source: ")
    assert fault_of(source=good, target=empty).startswith("dataset.target: ")
    save(tmp_path / "mixed", 2)
    save(tmp_path / "mixed" / "more", 2, size=(30, 30))
    mixed = fault_of(source=good, target=str(tmp_path / "mixed"))
    assert "dataset.resize" in mixed
    ring = {"name": "ring"}
    assert fault_of(source=ring, target=good).startswith(
        "dataset.source: has samples of kind vector"
    )
    assert "dataset.crop: crops of 17 x 17 do not fit into the images of 'source'" in fault_of(
        source=good, target=good, crop=17
    )
    assert "dataset.size: is of sides that are folders; type dataset.source.size" in fault_of(
        source=GRAY, target=GRAY, size=8
    )
    assert "dataset.source_channels: " in fault_of(source=GRAY, target=good, source_channels=1)
    broken = tmp_path / "broken"
    save(broken, 2)
    (broken / "x.png").write_bytes(b"no image")
    assert "x.png" in fault_of(source=str(broken), target=good)
    assert len(opened(source=str(broken), target=good, skip_broken=True).parts()[0]) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "dataset.source: has no value"),
        (("dataset.source=x",), "dataset.target: has no value"),
        (("dataset.source=[x]", "dataset.target=y"), "dataset.source: expected a folder"),
        (
            ("dataset@dataset.source=mnist_5k", "dataset.source.sise=3", "dataset.target=y"),
            "dataset.source.sise: unknown key",
        ),
        (("dataset.source=x", "dataset.target=y", "dataset.crop=0"), "dataset.crop: must be"),
    ],
)
def test_errors_on_the_command_line_name_the_key(words, told):
    with pytest.raises(ConfigError) as caught:
        validate(composed("run=x", "model=cyclegan", "dataset=unpaired", *words))
    assert told in "\n".join(caught.value.faults)


def test_folders_named_like_numbers_stay_names():
    config = validate(
        composed("run=x", "model=cyclegan", "dataset=unpaired", "dataset.source=2024_01",
                 "dataset.target=007")
    )  # fmt: skip
    assert (config.dataset["source"], config.dataset["target"]) == ("2024_01", "007")


# ---- The true map


def known(map, **options):
    node = {"name": "known_map", "images": {**GRAY, "count": 40, **options}, "map": map}
    return datasets.build(node, where="dataset")


@pytest.mark.parametrize("map", ["tint", "rotate", "invert"])
def test_held_out_pairs_are_related_by_the_map_and_are_not_trained_on(map):
    dataset = known(map)
    held = dataset.held_out()
    source, target = (held[key].numpy().astype(float) for key in ("source", "target"))
    share = source[:, :1] / 255
    expected = {
        "tint": np.concatenate([255 * share + 20 * (1 - share), 160 * share + 40 * (1 - share),
                                40 * share + 90 * (1 - share)], 1),
        "rotate": source[:, :, :, ::-1].swapaxes(2, 3),  # the last column becomes the first row
        "invert": 255 - source,
    }[map]  # fmt: skip
    assert np.abs(expected - target).max() <= 0.5
    whole = datasets.build(dict(GRAY, count=40), where="dataset").tensors()["real"]
    trained = [part.tensors()[key] for part, key in zip(dataset.parts(), ("source", "target"),
                                                        strict=True)]  # fmt: skip
    assert [len(part) for part in trained] == [18, 18]
    assert len(held["source"]) == 4
    kept = {image.numpy().tobytes() for image in (*trained[0], *held["source"])}
    assert len(kept) == 22
    assert sum(image.numpy().tobytes() in kept for image in whole) == 22


def test_gray_sources_as_rgb():
    node = {"name": "known_map", "images": {**GRAY, "count": 40}, "source_channels": 3}
    source = datasets.build(node, where="dataset").held_out()["source"]
    assert torch.equal(source, known("tint").held_out()["source"].expand(-1, 3, -1, -1))
    with pytest.raises(ConfigError, match="source_channels: must be 3 or null"):
        datasets.build({**node, "images": {**GRAY, "channels": 3, "count": 40},
                        "map": "invert", "source_channels": 1}, where="dataset")  # fmt: skip


def test_maps_that_do_not_apply_are_one_line():
    with pytest.raises(ConfigError, match=r"dataset\.map: 'tint' needs gray images"):
        known("tint", channels=3)
    ring = {"name": "known_map", "images": {"name": "ring"}, "map": "invert"}
    with pytest.raises(ConfigError, match="'invert' needs images"):
        datasets.build(ring, where="dataset")


def test_a_check_looks_at_whole_images_and_names_their_files(tmp_path):
    from gan_cli.forecast.inspection import inspections

    folder = save(tmp_path / "a", 4)
    found = inspections(opened(source=folder, target=folder, crop=8))
    assert [one.key for one in found] == ["source", "target"]
    assert found[0].spec.shape == (3, 16, 20)
    assert found[0].name(2) == "2.png"
