"""Pairs of domains: what is fed, what is held out, and the data sets made for them."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.sets import datasets
from gan_cli.data.sets.mnist_m import blend
from gan_cli.data.sets.pair import with_domain
from gan_cli.utils.errors import ConfigError

GRAY = {"name": "synthetic", "size": 16, "channels": 1, "classes": 4, "count": 50}
COLOR = {**GRAY, "channels": 3, "count": 30, "seed": 1}


def pair(source=GRAY, target=COLOR, **options):
    node = {"name": "pair", "source": source, "target": target, **options}
    return datasets.build(node, where="dataset")


def feed(data, resident=True, seed=0, rank=0, world=1):
    return open_feed(
        data,
        batch_size=10 // world,
        seed=seed,
        rank=rank,
        world=world,
        device=torch.device("cpu"),
        resident=resident,
        resident_gib=1.0,
        workers=0,
    )


def drawn(feed, first, count):
    batches = feed.batches(first)
    return [next(batches) for _ in range(count)]


def bytes_of(images):
    """The images (N, ...) as hashable things."""
    scaled = ((images + 1) * 127.5).round() if images.is_floating_point() else images
    return [image.to(torch.uint8).numpy().tobytes() for image in scaled]


def test_batches_hold_both_domains_in_the_colours_of_one():
    (batch,) = drawn(feed(pair()), 0, 1)
    assert {key: tuple(value.shape) for key, value in batch.items()} == {
        "source": (10, 3, 16, 16),
        "source_label": (10,),
        "target": (10, 3, 16, 16),
        "target_label": (10,),
    }
    assert torch.equal(batch["source"][:, 0], batch["source"][:, 2])
    assert batch["source"].min() >= -1
    assert batch["source"].max() <= 1


def test_each_domain_is_drawn_once_an_epoch_and_never_what_is_held_out():
    data = pair(held_out=0.2)
    batches = drawn(feed(data), 0, 12)  # three epochs of the 40, five of the 24
    for name, count, epoch in (("source", 40, 4), ("target", 24, 12 // 5)):
        seen = bytes_of(torch.cat([batch[name] for batch in batches]))
        assert len(set(seen)) == count
        held = bytes_of(data.held_out()[name])
        assert not set(held) & set(seen)
        assert len(set(seen[: 10 * epoch])) == min(10 * epoch, count)
    assert len(data.held_out()["target_label"]) == 6


def test_domains_of_one_size_meet_in_ever_new_pairs():
    batches = drawn(feed(pair(GRAY, {**COLOR, "count": 50})), 0, 8)  # two epochs of 40
    pairs = [
        set(zip(bytes_of(batch["source"]), bytes_of(batch["target"]), strict=True))
        for batch in batches
    ]
    first, second = set().union(*pairs[:4]), set().union(*pairs[4:])
    assert len(first & second) < 10  # 1 is to be expected


def test_both_feeds_start_anywhere_and_agree():
    streamed = drawn(feed(pair(), resident=False), 3, 2)
    for straight, later in zip(drawn(feed(pair()), 0, 5)[3:], streamed, strict=True):
        assert straight.keys() == later.keys()
        assert all(torch.equal(straight[key], later[key]) for key in straight)


def test_ranks_share_a_batch():
    (whole,) = drawn(feed(pair()), 0, 1)
    halves = [drawn(feed(pair(), rank=rank, world=2), 0, 1)[0] for rank in (0, 1)]
    for name in ("source", "target"):
        together = [image for half in halves for image in bytes_of(half[name])]
        assert sorted(together) == sorted(bytes_of(whole[name]))


def test_the_same_images_are_held_out_of_two_domains_made_of_them():
    """Or the digits held out of MNIST-M would be known from MNIST."""
    data = pair(GRAY, GRAY)
    held = data.held_out()
    assert torch.equal(held["source"], held["target"])


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            "dataset.path: 1 of 6 images are broken; type dataset.skip_broken=true",
            "dataset.source.path: 1 of 6 images are broken; type dataset.source.skip_broken=true",
        ),
        (
            "dataset.root: no MNIST in /data/dataset.d; use dataset=mnist_5k",
            "dataset.source.root: no MNIST in /data/dataset.d; use dataset@dataset.source=mnist_5k",
        ),
        ("dataset.labels: dataset.json is not", "dataset.source.labels: dataset.json is not"),
        ("dataset.source.path: has no value", "dataset.source.path: has no value"),
        ("dataset: label: row 1", "dataset.source: label: row 1"),
        ("size: 0", "dataset.source: size: 0"),
    ],
)
def test_errors_of_a_domain_name_its_keys_in_their_advice_too(fault, told):
    assert with_domain(fault, "dataset.source") == told


def test_more_sources_are_domains_of_their_own():
    data = pair(more_sources={"third": {**COLOR, "seed": 2, "count": 20}})
    (batch,) = drawn(feed(data), 0, 1)
    assert {key: tuple(value.shape) for key, value in batch.items()} == {
        "source": (10, 3, 16, 16),
        "source_label": (10,),
        "source_third": (10, 3, 16, 16),
        "source_third_label": (10,),
        "target": (10, 3, 16, 16),
        "target_label": (10,),
    }
    assert list(data.spec.fields) == list(batch)
    assert data.spec.target == "target"
    assert set(batch) | {"held_out"} == provided_by(more_sources={"third": COLOR})
    assert set(data.held_out()) == set(batch)


def provided_by(**options):
    node = {"name": "pair", "source": GRAY, "target": COLOR, **options}
    return datasets.entries["pair"].provides(datasets.check(node, "dataset"))


@pytest.mark.parametrize(("known", "count"), [(0, None), (7, 7), (None, 24)])
def test_labels_of_the_target_are_known_as_far_as_wanted(known, count):
    data = pair(target_labels=known)
    told = data.parts()[1].tensors().get("target_label")
    assert ("target_label" in provided_by(target_labels=known)) == (count is not None)
    assert (None if told is None else int((told >= 0).sum())) == count
    if told is not None:
        right = datasets.build(COLOR, where="dataset").labels()[data.parts()[1].index]
        assert torch.equal(told[told >= 0], right[told >= 0])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"target": {**COLOR, "size": 8}}, r"dataset: .*\(1, 16, 16\).*\(3, 8, 8\).*one size"),
        ({"more_sources": {"b": {**COLOR, "size": 8}}}, r"dataset\.more_sources\.b of \(3, 8"),
        ({"more_sources": {"b": {**COLOR, "classes": 0}}}, r"more_sources\.b 0 without names"),
        ({"more_sources": {"label": COLOR}}, r"dataset\.more_sources\.label: .* take another"),
        ({"more_sources": {"b": {"name": "folder"}}}, r"more_sources\.b\.path: has no value"),
        ({"more_sources": {"b": 3}}, r"more_sources\.b: expected the keys of a data set, got 3"),
        ({"target": {**COLOR, "classes": 3}}, "dataset: .* same classes; .* 4 .*target 3 "),
        (
            {"source": {**GRAY, "channels": 4}},
            r"target has 3 channels, another domain 4; one",
        ),
        ({"target_labels": 25}, r"dataset\.target_labels: 25 of 24 .* 0 to 24"),
        ({"target": {**COLOR, "classes": 0}, "target_labels": 1}, "target_labels: .* no labels"),
        ({"held_out": 0.0}, r"dataset\.held_out: must be above 0 and below 1"),
        ({"target": {**COLOR, "count": 0}}, r"dataset\.target\.count: must be at least 1"),
        ({"target": {"name": "folder", "path": "/no/such"}}, r"dataset\.target\.path: /no/such"),
        ({"target": {"name": "folder"}}, r"dataset\.target\.path: has no value"),
        ({"target": {"name": "mnist_5"}}, r"dataset\.target\.name: .* did you mean 'mnist_5k'"),
        ({"source": {**GRAY, "cuont": 1}}, r"dataset\.source\.cuont: .* did you mean 'count'"),
        ({"source": "mnist"}, r"dataset\.source: expected the keys of a data set"),
    ],
)
def test_what_does_not_fit_is_told_with_its_key(options, told):
    with pytest.raises(ConfigError, match=told):
        pair(**{"source": GRAY, "target": COLOR, **options})


def test_an_unlabelled_target_has_no_labels_to_score_by():
    held = pair(target={**COLOR, "classes": 0}).held_out()
    assert set(held) == {"source", "source_label", "target"}


def test_other_data_or_another_split_is_noticed():
    prints = {
        pair(**options).fingerprint()
        for options in ({}, {"seed": 1}, {"held_out": 0.4}, {"target_labels": 3})
    }
    assert len(prints) == 4
    assert pair().fingerprint() == pair().fingerprint()
    assert pair(target={**COLOR, "seed": 2}).fingerprint() != pair().fingerprint()


def test_digits_are_those_of_scikit_learn():
    bunch = pytest.importorskip("sklearn.datasets").load_digits()
    data = datasets.build({"name": "digits", "size": None}, where="dataset")
    images = data.tensors()["real"][:, 0].numpy()
    assert np.array_equal(images, np.rint(bunch.images * 255 / 16))
    assert np.array_equal(data.labels().numpy(), bunch.target)


def test_digits_are_framed_by_their_margin():
    node = {"name": "digits", "size": 28, "margin": 4}
    framed = datasets.build(node, where="dataset").tensors()["real"]
    whole = datasets.build({"name": "digits", "size": 20}, where="dataset").tensors()["real"]
    assert framed.shape == (1797, 1, 28, 28)
    assert torch.equal(framed[..., 4:24, 4:24], whole)
    assert framed.long().sum() == whole.long().sum()
    for margin, words in ((-1, "must be 0 or more"), (14, "14 .*less than half")):
        with pytest.raises(ConfigError, match=rf"dataset\.margin: {words}"):
            datasets.build({**node, "margin": margin}, where="dataset")


def test_digits_are_enlarged_as_pillow_does_it():
    small = datasets.build({"name": "digits", "size": None}, where="dataset").tensors()["real"]
    large = datasets.build({"name": "digits"}, where="dataset").tensors()["real"]
    image = Image.fromarray(small[5, 0].numpy()).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(large[5, 0].numpy(), np.asarray(image))


@pytest.fixture
def photos(tmp_path):
    """Two photos, of one colour each, larger and smaller than a digit."""
    for name, color, size in (("a", (200, 100, 0), (60, 40)), ("b", (10, 20, 30), (12, 16))):
        Image.new("RGB", size, color).save(tmp_path / f"{name}.png")
    return tmp_path


def test_blending_is_the_absolute_difference_in_each_channel():
    digit = torch.tensor([[[0, 255, 100]]], dtype=torch.uint8)  # (1, 1, 3)
    color = torch.tensor([200, 100, 0], dtype=torch.uint8).view(3, 1, 1).expand(3, 1, 3)
    mixed = blend(digit, color)[:, 0].tolist()
    assert mixed == [[200, 55, 100], [100, 155, 0], [0, 255, 100]]


def test_mnist_m_lies_on_the_photos(photos):
    node = {"name": "mnist_m", "digits": "mnist_5k", "photos": str(photos)}
    data, digits = (
        datasets.build(n, where="dataset") for n in (node, {"name": "mnist_5k", "size": 28})
    )
    images, gray = data.tensors()["real"].int(), digits.tensors()["real"].int()
    assert images.shape == (5000, 3, 28, 28)
    assert torch.equal(data.labels(), digits.labels())
    corners = {tuple(color) for color in images[:, :, 0, 0].tolist()}
    assert corners == {(200, 100, 0), (10, 20, 30)}
    background = images[:, :, :1, :1]  # digits leave the corner empty
    assert torch.equal(images, (background - gray).abs())
    again = datasets.build(node, where="dataset")
    assert again.fingerprint() == data.fingerprint()


def test_mnist_m_without_photos_says_what_to_type(tmp_path):
    node = {"name": "mnist_m", "digits": "mnist_5k", "photos": str(tmp_path / "none")}
    with pytest.raises(ConfigError, match=r"dataset\.photos: .*none does not exist"):
        datasets.build(node, where="dataset")
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ConfigError, match=r"dataset\.photos: broken\.png cannot be read"):
        datasets.build({**node, "photos": str(tmp_path)}, where="dataset")
    with pytest.raises(ConfigError, match=r"dataset\.split: mnist_5k has no test set"):
        datasets.build({**node, "split": "test"}, where="dataset")
