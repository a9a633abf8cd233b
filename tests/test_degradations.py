"""Degradations of images, against Pillow, scipy and loops over pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.degradations import degradations
from gan_cli.data.sets import datasets
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 12, 16), np.uint8))
SEEDS = (4, 5, 6)


def degraded(name: str, images=IMAGES, seeds=SEEDS, **options):
    return degradations.find({"name": name}, "")(images, Noise(seeds), **options)


def pillow(image) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def test_gray_is_the_luminance_of_pillow():
    expected = [np.asarray(pillow(image).convert("L")).astype(int) for image in IMAGES]
    difference = degraded("gray")[:, 0].int().numpy() - np.stack(expected)
    assert abs(difference).max() <= 1  # Pillow rounds the weights to 16 bits
    assert (difference == 0).mean() > 0.95


def test_edges_are_the_morphological_gradient():
    ndimage = pytest.importorskip("scipy.ndimage")
    light = degraded("gray")[:, 0].numpy().astype(float)
    for size in (3, 5):
        expected = np.stack([ndimage.morphological_gradient(x, size) for x in light])
        found = degraded("edges", size=size)[:, 0].numpy()
        inner = slice(size // 2, -(size // 2))  # scipy mirrors at the border
        np.testing.assert_array_equal(found[:, inner, inner], expected[:, inner, inner])
    flat = torch.full((1, 3, 8, 8), 200, dtype=torch.uint8)
    assert not degraded("edges", flat, (0,)).any()
    lines = degraded("edges", threshold=0.5)
    assert torch.equal(lines == 255, degraded("edges") > 127.5)
    assert set(lines.unique().tolist()) == {0, 255}


def test_an_even_neighbourhood_has_no_middle():
    with pytest.raises(ConfigError, match=r"degradation\.size: is even, 4; type 3 or 5"):
        degraded("edges", size=4)


@pytest.mark.parametrize(
    ("kernel", "resampling"),
    [("bicubic", Image.BICUBIC), ("bilinear", Image.BILINEAR), ("box", Image.BOX)],
)
def test_smaller_images_are_those_of_pillow(kernel, resampling):
    expected = [np.asarray(pillow(x).resize((8, 6), resampling)).astype(int) for x in IMAGES]
    found = degraded("downscale", factor=2, kernel=kernel).permute(0, 2, 3, 1).int().numpy()
    assert abs(found - np.stack(expected)).max() <= 1  # Pillow rounds between rows and columns


@pytest.mark.parametrize("place", ["random", "center"])
def test_a_box_is_cut_out_and_the_rest_is_kept(place):
    tall = torch.zeros(64, 1, 12, 16, dtype=torch.uint8)
    masked = degraded("mask", tall, range(64), side=0.5, place=place, value=9)
    boxes = set()
    for image in masked:
        rows, columns = (image[0] == 9).nonzero(as_tuple=True)
        box = (rows.min().item(), columns.min().item())
        assert len(rows) == 6 * 8
        assert (rows.max().item(), columns.max().item()) == (box[0] + 5, box[1] + 7)
        boxes.add(box)
    if place == "center":
        assert boxes == {(3, 4)}
    else:
        assert {row for row, _ in boxes} == set(range(7))
        assert {column for _, column in boxes} == set(range(9))


def test_noise_has_its_deviation_and_the_values_of_pixels():
    flat = torch.full((40, 1, 16, 16), 127, dtype=torch.uint8)
    found = degraded("noise", flat, range(40), deviation=0.1).float()
    assert found.mean().item() == pytest.approx(127, abs=1)
    assert found.std().item() == pytest.approx(25.5, rel=0.03)
    assert degraded("noise", flat, range(40), deviation=3.0).dtype == torch.uint8


@pytest.mark.parametrize("name", ["edges", "gray", "downscale", "mask", "noise"])
def test_a_source_depends_on_its_own_image_and_number_alone(name):
    together = degraded(name)
    for i in range(3):
        assert torch.equal(degraded(name, IMAGES[i : i + 1], SEEDS[i : i + 1])[0], together[i])
    before = IMAGES.clone()
    degraded(name)
    assert torch.equal(IMAGES, before)


def test_a_degradation_of_ones_own_makes_the_sources(monkeypatch):
    def mirrored(images, noise, *, times: int = 1):
        return images.flip(-1) if times % 2 else images

    monkeypatch.setitem(degradations.entries, "mirrored", mirrored)
    node = {"name": "paired", "images": {"name": "synthetic"}, "held_out": 0}
    dataset = datasets.build({**node, "degradation": "mirrored"}, where="dataset")
    assert torch.equal(dataset[5]["source"], dataset[5]["target"].flip(-1))
    twice = {**node, "degradation": {"name": "mirrored", "times": 2}}
    again = datasets.build(twice, where="dataset")
    assert torch.equal(again[5]["source"], again[5]["target"])
    assert again.fingerprint() != dataset.fingerprint()
