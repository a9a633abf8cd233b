"""DiffAugment: its transforms against their definition, on images of any shape."""

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_cli.augment import augments
from gan_cli.augment.diffaugment import DiffAugment
from tests.helpers import small, tensors_of, trained

NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
COUNT = 4000


def only(*policy: str) -> DiffAugment:
    return augments.build({"name": "diffaugment", "policy": list(policy)}, where="augment")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_gray_images_change_in_brightness_and_contrast():
    """x to (x + b - m) c + m with m = mean + b: the mean moves by b in U(-1/2, 1/2), and the
    distances from it are multiplied by c in U(1/2, 3/2)."""
    image = torch.tensor([[0.1, -0.4], [0.9, 0.3]])
    found = only("color")(image.expand(COUNT, 1, 2, 2))[:, 0]
    moved = found.mean((1, 2)) - image.mean()
    assert moved.abs().max() <= 0.5
    assert moved.var().item() == pytest.approx(1 / 12, rel=0.05)
    factor = (found - found.mean((1, 2), keepdim=True)) / (image - image.mean())
    torch.testing.assert_close(factor[:, :1, :1].expand_as(factor), factor, atol=1e-4, rtol=1e-3)
    assert factor.min() + 1e-4 >= 0.5
    assert factor.max() - 1e-4 <= 1.5
    assert factor[:, 0, 0].mean().item() == pytest.approx(1, abs=0.02)
    assert factor[:, 0, 0].var().item() == pytest.approx(1 / 12, rel=0.06)


def test_colors_change_in_brightness_then_saturation_then_contrast():
    """Within a pixel, distances from gray are multiplied by saturation and contrast; between the
    grays of pixels, by contrast alone."""
    image = torch.randn(3, 4, 4)
    found = only("color")(image.expand(COUNT, 3, 4, 4))
    gray, was = found.mean(1), image.mean(0)
    mean = gray.mean((1, 2))
    contrast = ((gray - mean[:, None, None]) / (was - was.mean()))[:, 0, 0]
    both = ((found - gray[:, None]) / (image - was))[:, 0, 0, 0]
    saturation = both / contrast
    assert saturation.min() > -1e-3
    assert saturation.max() < 2.001
    assert saturation.var().item() == pytest.approx(4 / 12, rel=0.05)
    expected = contrast[:, None, None, None] * (
        saturation[:, None, None, None] * (image - was) + was - was.mean()
    )
    torch.testing.assert_close(found, expected + mean[:, None, None, None], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("size", "most"), [((16, 16), (2, 2)), ((12, 20), (2, 3)), ((4, 4), (1, 1))]
)
def test_translations_reach_an_eighth_and_zeros_enter(size, most):
    image = torch.arange(1.0, size[0] * size[1] + 1).view(1, *size)
    found = only("translation")(image.expand(COUNT, 1, *size))[:, 0].numpy()
    seen = {}
    for moved in found:
        middle = moved[size[0] // 2, size[1] // 2] - 1
        row, column = divmod(int(middle), size[1])
        shift = (size[0] // 2 - row, size[1] // 2 - column)
        seen.setdefault(shift, moved)
    wanted = {(y, x) for y in range(-most[0], most[0] + 1) for x in range(-most[1], most[1] + 1)}
    assert seen.keys() == wanted
    for (y, x), moved in seen.items():
        expected = np.zeros(size)
        for row, column in np.ndindex(size):
            if 0 <= row - y < size[0] and 0 <= column - x < size[1]:
                expected[row, column] = image[0, row - y, column - x]
        assert (moved == expected).all()


def rectangles(size: tuple[int, int]) -> Tensor:
    """What is cut out of COUNT images: bool (COUNT, H, W)."""
    return (only("cutout")(torch.ones(COUNT, 1, *size)) == 0)[:, 0]


@pytest.mark.parametrize("size", [(8, 8), (7, 7), (9, 9), (6, 10)])
def test_cutouts_have_half_the_sides_and_any_middle(size):
    """Enumerated: the side is int(n / 2 + 1/2); the middle is a pixel if it is odd, else a border
    of pixels, and what is outside of the image is lost."""
    cut = rectangles(size)
    for axis, length in enumerate(size):
        side = int(length / 2 + 0.5)
        starts = range(-(side // 2), length - side // 2 + (1 - side % 2))
        counts = torch.zeros(length)
        for start in starts:
            counts[max(start, 0) : start + side] += 1
        empty = cut.flatten(1).any(1).logical_not()
        assert not empty.any()
        lines = cut.any(2 - axis).float()  # which rows, or columns, have a part of it
        assert (lines.mean(0) - counts / len(starts)).abs().max() < 0.03
        assert lines.sum(1).max() == side


def test_the_policy_is_played_in_its_order():
    """A box that is cut out before colours change is no longer zero, unlike one cut out after."""
    images = torch.rand(64, 3, 8, 8) + 1
    assert (only("color", "cutout")(images) == 0).any()
    assert (only("cutout", "color")(images) != 0).all()


@pytest.mark.parametrize("shape", [(3, 1, 5, 4), (2, 3, 4, 4), (1, 5, 4, 4)])
def test_gradients_are_those_of_differences(shape):
    every = only("color", "translation", "cutout")

    def cubed(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        return every(x).pow(3)

    images = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(cubed, images)
    assert torch.autograd.gradgradcheck(cubed, images)


@pytest.mark.parametrize("augment", ["diffaugment", "ada", "r3gan"])
@pytest.mark.parametrize(
    "words",
    [
        ("model=dcgan", *NARROW, "loss=r3gan", "device.precision=bfloat16"),
        ("model=dcgan", *NARROW, "loss=wgan_gp", "accumulate=2", "model.game.packing=2"),
        ("model=acgan", *NARROW, "dataset.channels=1"),
        ("model=unrolled", *NARROW, "model.game.unroll=2", "loss=r1"),
        ("model=bigan", *NARROW, "model.networks.encoder.width=8", "loss=r1"),
    ],
)
def test_games_of_images_play_with_it(augment, words, tmp_path):
    adapted = [f"augment={augment}"]
    adapted += ["augment.initial=0.5"] if augment == "ada" else []
    run = trained(small(*words, *adapted), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
