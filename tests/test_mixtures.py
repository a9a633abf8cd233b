"""Data whose law is known."""

import math
import pickle
from itertools import islice

import pytest
import torch
from torch import nn

from gan_cli.config.registry import ConfigError
from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.sets import datasets
from gan_cli.data.sets.stacked_mnist import numbers

PLANAR = ("ring", "grid", "mixture1d", "swiss_roll", "checkerboard")
KNOWN = ("ring", "grid", "mixture1d", "stacked_mnist")


def build(name, **options):
    if name == "stacked_mnist":
        options = {"source": "mnist_5k", "count": 500, **options}
    return datasets.build({"name": name, **options}, where="dataset")


@pytest.mark.parametrize("name", PLANAR)
def test_points_are_vectors_drawn_from_the_seed(name):
    first, same, other = (build(name, count=500, seed=seed) for seed in (3, 3, 4))
    points = first.tensors()["real"]
    assert points.shape == (500, *first.spec.shape)
    assert points.dtype == torch.float32
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()
    assert len(build(name)) == 100_000


def feed(dataset, *, rank=0, world=1):
    return open_feed(
        dataset,
        batch_size=64 // world,
        seed=5,
        rank=rank,
        world=world,
        device=torch.device("cpu"),
        resident=None,
        resident_gib=1.0,
        workers=0,
    )


@pytest.mark.parametrize("name", PLANAR)
def test_endless_data_never_repeats_and_resumes_anywhere(name):
    dataset = build(name, count=None, seed=1)
    batches = [batch["real"] for batch in islice(feed(dataset).batches(0), 200)]
    points = torch.cat(batches)
    assert len(points) == 200 * 64
    assert len(points.unique(dim=0)) > 0.99 * len(points)  # float32 has few numbers on a line
    assert torch.equal(next(feed(dataset).batches(150))["real"], batches[150])
    assert not torch.equal(next(feed(build(name, count=None)).batches(150))["real"], batches[150])
    standing = dataset.tensors()["real"]  # of the same law: their moments agree
    torch.testing.assert_close(points.mean(0), standing.mean(0), rtol=0, atol=0.12)
    torch.testing.assert_close(points.std(0), standing.std(0), rtol=0.03, atol=0)


def test_ranks_share_the_batches_of_endless_data():
    dataset = build("ring", count=None)
    whole = next(feed(dataset).batches(3))
    for rank in range(2):
        own = next(feed(dataset, rank=rank, world=2).batches(3))
        for key, value in own.items():
            assert torch.equal(value, whole[key][rank::2])


def test_endless_data_is_not_the_finite_sample_it_begins_with():
    assert build("grid", count=None).fingerprint() != build("grid", count=100_000).fingerprint()


DIGITS = {"name": "mnist_5k"}
REQUIRED = {
    "audio": {"path": "x"},
    "folder": {"path": "x"},
    "known_map": {"images": DIGITS},
    "patches": {"path": "x"},
    "text": {"path": "x"},
    "unpaired": {"source": DIGITS, "target": DIGITS},
    "mnist_m": {"photos": "x"},
    "pair": {"source": DIGITS, "target": DIGITS},
}


@pytest.mark.parametrize("name", sorted(datasets.entries))
def test_modes_are_there_where_they_are_promised(name):
    options = datasets.check({"name": name, **REQUIRED.get(name, {})}, "")
    assert ("modes" in datasets.entries[name].provides(options)) == (name in KNOWN)


@pytest.mark.parametrize("name", ["ring", "grid", "mixture1d"])
def test_labels_are_the_modes(name):
    dataset = build(name, count=20_000)
    tensors, modes = dataset.tensors(), dataset.modes()
    assert torch.equal(modes.assign(tensors["real"])[0], tensors["label"])
    shares = tensors["label"].bincount(minlength=dataset.spec.classes) / 20_000
    torch.testing.assert_close(shares.double(), modes.proportions, rtol=0, atol=0.015)
    assert build("swiss_roll", count=5).modes() is None


def test_ring_is_vegans():
    points, label = build("ring").tensors().values()
    for i in range(8):
        own = points[label == i].double()
        angle = 2 * math.pi * i / 8
        centre = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        torch.testing.assert_close(own.mean(0), centre, rtol=0, atol=5e-4)
        torch.testing.assert_close(own.std(0), torch.full((2,), 0.01).double(), rtol=0.03, atol=0)


def test_grid_is_vegans():
    points, label = build("grid").tensors().values()
    centres = torch.stack([points[label == i].mean(0) for i in range(25)])
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(centre) for centre in centres.round().int().tolist()} == expected
    torch.testing.assert_close(centres, centres.round(), rtol=0, atol=5e-3)
    spread = torch.stack([points[label == i].std(0) for i in range(25)])
    torch.testing.assert_close(spread, torch.full((25, 2), 0.05), rtol=0.06, atol=0)


def test_mixture_has_the_moments_of_its_law():
    options = {"means": (-1.0, 4.0), "stds": (0.5, 2.0), "weights": (3.0, 1.0)}
    points = build("mixture1d", **options).tensors()["real"].double()
    mean = 0.75 * -1 + 0.25 * 4
    variance = 0.75 * (0.25 + 1) + 0.25 * (4 + 16) - mean**2
    assert points.mean().item() == pytest.approx(mean, abs=0.04)
    assert points.var().item() == pytest.approx(variance, rel=0.02)


def test_swiss_roll_winds_once_and_a_half():
    """Undo the scale: the radius is the angle, up to the noise of 0.25."""
    points = build("swiss_roll", count=5000).tensors()["real"].double() * 7.5
    radius, angle = points.norm(dim=1), torch.atan2(points[:, 1], points[:, 0])
    turns = (radius - angle) / (2 * math.pi)  # whole numbers but for the noise
    off = (turns - turns.round()) * 2 * math.pi
    assert off.std().item() == pytest.approx(0.25, rel=0.1)
    assert radius.min() > 1.5 * math.pi - 1.2
    assert radius.max() < 4.5 * math.pi + 1.2
    assert radius.mean().item() == pytest.approx(3 * math.pi, rel=0.02)  # even in the angle


def test_checkerboard_is_even_on_every_other_square():
    points = build("checkerboard").tensors()["real"]
    square = ((points + 4) / 2).long().clamp(0, 3)  # rounding may reach the far edge
    assert ((square.sum(1) % 2 == 0).double().mean()) > 0.9999
    counts = (4 * square[:, 0] + square[:, 1]).bincount(minlength=16)
    assert (counts > 100).sum() == 8
    assert counts.sort().values[8:].double().std() < 4 * math.sqrt(12_500)
    assert points.mean(0).abs().max() < 0.03
    assert points.double().var(0, correction=0).mean().item() == pytest.approx(64 / 12, rel=0.02)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "ring", "std": 0.0, "modes": 0}, r"dataset\.modes: .*\ndataset\.std: must be"),
        ({"name": "grid", "modes": 24}, r"dataset\.modes: 24 .* type 16 or 25"),
        ({"name": "mixture1d", "stds": [1.0]}, r"dataset\.means: 3, but stds 1"),
        ({"name": "mixture1d", "weights": [1.0, 1.0, -1.0]}, r"dataset\.weights\[2\]: must be"),
        ({"name": "swiss_roll", "count": 0}, r"dataset\.count"),
        ({"name": "checkerboard", "seed": -1}, r"dataset\.seed"),
        ({"name": "stacked_mnist", "source": "mnist5k"}, r"dataset\.source: .*mnist_5k"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(options, told):
    with pytest.raises(ConfigError, match=told):
        datasets.build(options, where="dataset")


def test_stacks_are_three_digits_and_their_number():
    stacked, digits = build("stacked_mnist"), build("mnist_5k").tensors()
    assert stacked.spec.shape == (3, 32, 32)
    assert stacked.spec.classes == 1000
    sample = stacked[123]
    number = f"{sample['label']:03d}"
    for channel, digit in zip(sample["real"], number, strict=True):
        of_class = digits["real"][digits["label"] == int(digit), 0]
        assert (of_class == channel).flatten(1).all(1).any()
    tensors = stacked.tensors()
    assert torch.equal(tensors["real"][123], sample["real"])
    assert torch.equal(tensors["label"], stacked.labels())


def test_stacks_come_from_the_seed_and_travel_to_workers():
    first, same, other = (build("stacked_mnist", seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()
    sent = pickle.loads(pickle.dumps(first))
    assert torch.equal(sent[7]["real"], first[7]["real"])


def test_too_many_stacks_are_put_together_one_by_one():
    stacked = build("stacked_mnist", count=700_000)  # 2.15e9 bytes
    assert stacked.tensors() is None
    assert stacked[699_999]["real"].shape == (3, 32, 32)


class Reader(nn.Module):
    """Logits (N, 10) of images whose every pixel is the digit."""

    def forward(self, images):
        assert images.shape[1:] == (1, 4, 4)
        return nn.functional.one_hot(images[:, 0, 0, 0].long(), 10).float()


def test_a_stack_is_read_channel_by_channel():
    digits = torch.tensor([[3, 1, 4], [0, 0, 7], [9, 9, 9]], dtype=torch.uint8)
    samples = digits[:, :, None, None].expand(-1, -1, 4, 4)
    assert numbers(Reader(), samples).tolist() == [314, 7, 999]


def test_modes_of_stacks_ask_the_classifier_of_single_digits(monkeypatch):
    from gan_cli.metrics.features import classifier

    asked = []

    def trained(dataset, device):
        asked.append(dataset.spec.shape)
        return Reader()

    monkeypatch.setattr(classifier, "trained_classifier", trained)
    modes = build("stacked_mnist").modes()
    assert asked == [(1, 32, 32)]
    assert modes.proportions.shape == (1000,)
    torch.testing.assert_close(modes.proportions, torch.full((1000,), 0.001).double())
    samples = torch.tensor([2, 7, 1], dtype=torch.uint8)[None, :, None, None].expand(5, 3, 4, 4)
    nearest, high_quality = modes.assign(samples)
    assert nearest.tolist() == [271] * 5
    assert high_quality.all()
