"""ADA: the distributions of its transforms, and their probability."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_cli.augment import augments
from gan_cli.augment.ada import ADA
from gan_cli.augment.pipe import Pipe

NAMES = tuple(Pipe.__dataclass_fields__)
COUNT = 4000  # draws; shares are known within 0.03, standard deviations within 5 %
NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


def only(*names: str, p: float = 1.0) -> ADA:
    """ADA with these transforms alone, at a fixed p."""
    shares = {name: float(name in names) for name in NAMES}
    return augments.build({"name": "ada", "p": p, **shares}, where="augment")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def ramps(count: int = COUNT, size: int = 16) -> Tensor:
    """Images whose channels are the x and the y coordinate from the centre."""
    line = torch.arange(size) - (size - 1) / 2
    image = torch.stack([line.expand(size, size), line[:, None].expand(size, size)])
    return image.expand(count, 2, size, size)


def slopes(images: Tensor) -> Tensor:
    """The linear maps (N, 2, 2) that have made images of ramps, measured at the centre."""
    mid = images.shape[-1] // 2
    across = images[:, :, mid, mid] - images[:, :, mid, mid - 1]
    down = images[:, :, mid, mid] - images[:, :, mid - 1, mid]
    return torch.stack([across, down], 2)


def centres(images: Tensor) -> Tensor:
    """What images of ramps show at their centre, (N, 2)."""
    mid = images.shape[-1] // 2
    return images[:, :, mid - 1 : mid + 1, mid - 1 : mid + 1].mean((2, 3))


def near(found: Tensor | float, expected: float, tolerance: float = 0.05) -> bool:
    return abs(float(found) - expected) < tolerance


# ---- Distributions


def test_half_of_the_images_are_flipped():
    x = slopes(only("flip")(ramps()))[:, 0, 0]
    assert set(x.tolist()) == {-1.0, 1.0}
    assert near((x < 0).float().mean(), 0.5)


def test_quarters_of_a_turn_are_equally_likely():
    turned = slopes(only("rotate90")(ramps())).round()
    assert (torch.linalg.det(turned) == 1).all()
    ways = [tuple(m) for m in turned.flatten(1).int().tolist()]
    assert len(set(ways)) == 4
    assert all(near(ways.count(way) / COUNT, 0.25) for way in set(ways))


def test_translations_reach_an_eighth_of_the_size():
    """16 U(-1/8, 1/8) rounded: 0 and 1 are equally likely, 2 half as often."""
    moved = centres(only("translation")(ramps()))
    values, counts = moved[:, 0].unique(return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert np.abs(counts.numpy() / COUNT - [0.125, 0.25, 0.25, 0.25, 0.125]).max() < 0.03
    assert near(torch.corrcoef(moved.T)[0, 1], 0)  # both directions have draws of their own


def test_scales_are_log_normal():
    linear = slopes(only("scale")(ramps()))
    assert linear[:, 0, 1].abs().max() < 1e-3
    torch.testing.assert_close(linear[:, 0, 0], linear[:, 1, 1], atol=1e-3, rtol=0)
    assert near(linear[:, 0, 0].log2().mean(), 0, 0.02)
    assert near(linear[:, 0, 0].log2().std(), 0.2, 0.01)


def test_anisotropic_scales_keep_the_area():
    linear = slopes(only("anisotropy")(ramps()))
    torch.testing.assert_close(
        linear[:, 0, 0] * linear[:, 1, 1], torch.ones(COUNT), rtol=0.01, atol=0
    )
    assert near(linear[:, 0, 0].log2().std(), 0.2, 0.01)


def test_rotations_are_uniform():
    linear = slopes(only("rotation")(ramps()))
    torch.testing.assert_close(torch.linalg.det(linear), torch.ones(COUNT), atol=0.01, rtol=0)
    angle = torch.atan2(linear[:, 1, 0], linear[:, 0, 0])
    assert (linear.mean(0).abs() < 0.05).all()
    assert all(near(angle.multiply(k).cos().mean(), 0) for k in (1, 2, 3))


def test_shifts_are_normal():
    moved = centres(only("shift")(ramps(size=32)))  # far from the mirrored border
    assert near(moved.mean() / 32, 0, 0.01)
    assert near(moved.std() / 32, 1 / 8, 0.01)
    assert near(torch.corrcoef(moved.T)[0, 1], 0)


def test_the_paper_order_scales_then_rotates_then_stretches():
    """With x from the centre o: scale S, rotation R, stretch A, rotation R', shift t, so that the
    output shows S^-1 R^-1 A^-1 R'^-1 (o - t); its determinant is that of the scale."""
    linear = slopes(only("scale", "rotation", "anisotropy")(ramps()))
    assert near(torch.linalg.det(linear).log2().std() / 2, 0.2, 0.01)
    singular = torch.linalg.svdvals(linear)
    ratio = (singular[:, 0] / singular[:, 1]).log2()  # 2 |N(0, 0.2^2)|
    assert near(ratio.square().mean().sqrt() / 2, 0.2, 0.01)


def colors(name: str, color: tuple[float, ...], p: float = 1.0) -> Tensor:
    """What becomes of one colour, (COUNT, C)."""
    pixel = torch.tensor(color).view(1, -1, 1, 1).expand(COUNT, -1, 2, 2)
    return only(name, p=p)(pixel)[:, :, 0, 0]


@pytest.mark.parametrize("color", [(0.5,), (0.2, -0.3, 0.9), (0.1, 0.2, 0.3, 0.4)])
def test_brightness_is_one_normal_offset_for_all_channels(color):
    moved = colors("brightness", color) - torch.tensor(color)
    assert near(moved.std(0).mean(), 0.2, 0.01)
    assert near(moved.mean(), 0, 0.02)
    torch.testing.assert_close(moved[:, :1].expand_as(moved), moved)


@pytest.mark.parametrize("color", [(0.5,), (0.2, -0.3, 0.9), (0.1, 0.2, 0.3, 0.4)])
def test_contrast_is_a_log_normal_factor(color):
    factor = colors("contrast", color) / torch.tensor(color)
    torch.testing.assert_close(factor[:, :1].expand_as(factor), factor)
    assert near(factor[:, 0].log2().std(), 0.5, 0.03)
    assert near(factor[:, 0].log2().mean(), 0, 0.03)


def test_saturation_multiplies_the_distance_from_gray():
    color = torch.tensor([0.2, -0.3, 0.9])
    found = colors("saturation", tuple(color.tolist()))
    gray = color.mean()
    factor = (found - gray) / (color - gray)
    torch.testing.assert_close(factor[:, :1].expand_as(factor), factor, atol=1e-4, rtol=1e-3)
    assert near(factor[:, 0].log2().std(), 1.0, 0.05)


def test_hue_turns_colors_about_gray():
    color = torch.tensor([0.2, -0.3, 0.9])
    found = colors("hue", tuple(color.tolist()))
    torch.testing.assert_close(found.mean(1), color.mean().expand(COUNT))
    torch.testing.assert_close(found.norm(dim=1), color.norm().expand(COUNT))
    assert (found.mean(0) - color.mean()).abs().max() < 0.05  # all hues alike


def test_luma_flips_keep_hue_and_saturation():
    color = torch.tensor([0.2, -0.3, 0.9])
    found = colors("luma_flip", tuple(color.tolist()))
    flipped = found.mean(1) < 0
    assert near(flipped.float().mean(), 0.5)
    expected = color - 2 * color.mean()
    torch.testing.assert_close(found[flipped], expected.expand(int(flipped.sum()), 3))
    torch.testing.assert_close(found[~flipped], color.expand(int((~flipped).sum()), 3))


@pytest.mark.parametrize("name", ["luma_flip", "hue", "saturation"])
def test_one_channel_has_brightness_and_contrast_alone(name):
    images = torch.randn(8, 1, 6, 6)
    assert torch.equal(only(name)(images), images)


def test_noise_has_a_half_normal_deviation():
    images = torch.zeros(COUNT, 1, 16, 16)
    deviation = only("noise")(images).flatten(1).std(1)
    assert near(deviation.square().mean(), 0.01, 0.001)
    assert near(deviation.mean(), 0.1 * math.sqrt(2 / math.pi), 0.005)


def test_cutout_covers_a_square_that_the_border_clips():
    """A side of S/2 about a uniform centre covers S/2 - S/16 on average in each direction."""
    covered = (only("cutout")(torch.ones(COUNT, 1, 32, 32)) == 0).float()
    assert near(covered.mean(), (0.5 - 0.0625) ** 2, 0.01)
    assert covered.flatten(1).sum(1).max() == 16 * 16
    rows = covered.amax(3)[:, 0].sum(1)
    columns = covered.amax(2)[:, 0].sum(1)
    assert torch.equal(covered.flatten(1).sum(1), rows * columns)


# ---- Probability

ONE_BY_ONE = [name for name in NAMES if name not in ("luma_flip", "hue", "saturation", "filter")]
FALSE = {"flip": 0.5, "rotate90": 0.25, "translation": 1 / 16, "luma_flip": 0.5, "filter": None}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("p", [0.3, 1.0])
def test_each_transform_happens_with_probability_p(name, p):
    """Some draws change nothing: half of the flips, every fourth quarter, and so on."""
    images = torch.randn(1500, 3, 16, 16)
    changed = (only(name, p=p)(images) != images).flatten(1).any(1).float().mean()
    expected = 1 - (1 - p) ** 4 if name == "filter" else p * (1 - (FALSE.get(name) or 0))
    assert near(changed, expected, 0.05)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_without_probability_images_stay_as_they_are(channels):
    images = torch.randn(8, channels, 9, 9)
    every = augments.build(
        {"name": "ada", "p": 0.0, "filter": 1.0, "noise": 1.0, "cutout": 1.0}, where=""
    )
    assert torch.equal(every(images), images)


def test_shares_are_of_p():
    options = {"name": "ada", "p": 0.8, **dict.fromkeys(NAMES, 0.0), "contrast": 0.5}
    images = torch.randn(1500, 3, 4, 4)
    changed = (augments.build(options, where="")(images) != images).flatten(1).any(1)
    assert near(changed.float().mean(), 0.4)


# ---- Gradients


def test_gradients_are_those_of_differences():
    every = augments.build(
        {"name": "ada", "p": 0.7, "filter": 1.0, "noise": 1.0, "cutout": 0.5}, where=""
    )

    def cubed(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        return every(x).pow(3)

    images = torch.randn(2, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(cubed, images)
    assert torch.autograd.gradgradcheck(cubed, images)


def test_under_autocast_places_are_exact():
    images = torch.randn(4, 3, 32, 32)
    torch.manual_seed(1)
    plain = only("shift", "rotation")(images)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        cast = only("shift", "rotation")(images)
    assert torch.equal(plain, cast)
