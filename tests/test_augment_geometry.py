"""Transforms of places: blits copy pixels, and affine maps resample like scipy does."""

import itertools

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from gan_cli.augment import geometry
from gan_cli.augment.blit import flip, rotate90, translate
from gan_cli.augment.draws import mirror_pad
from gan_cli.augment.pipe import diagonal, rotation

SIZES = [(8, 8), (7, 7), (6, 9)]


@pytest.fixture(params=[False, True], ids=["grid_sample", "deterministic"])
def deterministic(request):
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(request.param)
    yield request.param
    torch.use_deterministic_algorithms(before)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def smooth(size: tuple[int, int], sigma: float = 2.0) -> Tensor:
    """Images (2, 3, H, W) of waves of several pixels."""
    images = ndimage.gaussian_filter(noise(2, 3, *size).numpy(), (0, 0, sigma, sigma))
    return torch.from_numpy(images / images.std())


def eye(count: int) -> Tensor:
    return torch.eye(2, dtype=torch.float64).expand(count, 2, 2)


# ---- Blits


@pytest.mark.parametrize("size", SIZES)
def test_flips_mirror_the_chosen_images(size):
    images = noise(2, 3, *size)
    flipped = flip(images, torch.tensor([True, False])).numpy()
    assert (flipped[0] == images[0].numpy()[:, :, ::-1]).all()
    assert (flipped[1] == images[1].numpy()).all()


def test_quarters_are_those_of_numpy():
    images = noise(4, 2, 5, 5)
    rotated = rotate90(images, torch.arange(4)).numpy()
    for k in range(4):
        assert (rotated[k] == np.rot90(images[k].numpy(), k, (1, 2))).all()


def test_rectangles_keep_their_sides_when_they_are_rotated():
    images = noise(4, 2, 5, 6)
    rotated = rotate90(images, torch.arange(4)).numpy()
    for k, half_turns in enumerate((0, 0, 1, 1)):
        assert (rotated[k] == np.rot90(images[k].numpy(), 2 * half_turns, (1, 2))).all()


@pytest.mark.parametrize(("fill", "mode"), [("mirror", "mirror"), ("zeros", "constant")])
@pytest.mark.parametrize("size", SIZES)
def test_translations_by_whole_pixels_are_those_of_scipy(size, fill, mode):
    shifts = list(itertools.product((-3, 0, 2), (-2, 0, 3)))
    images = noise(len(shifts), 2, *size)
    down, right = torch.tensor(shifts).unbind(1)
    moved = translate(images, down, right, fill).numpy()
    for i, shift in enumerate(shifts):
        expected = ndimage.shift(images[i].numpy(), (0, *shift), order=0, mode=mode)
        assert (moved[i] == expected).all()


@pytest.mark.parametrize("margin", [1, 3, 20])
def test_mirrored_margins_are_those_of_numpy(margin):
    images = noise(1, 2, 4, 5)
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (margin,) * 2, (margin,) * 2), "reflect")
    assert (mirror_pad(images, margin).numpy() == expected).all()


# ---- The wavelet


def test_the_filter_is_the_least_asymmetric_wavelet_of_daubechies():
    """Spectral factorization of the half-band polynomial with 6 zeros at -1, from its definition:
    P(y) = sum_k C(5 + k, k) y^k with y = (2 - z - 1/z) / 4; of all choices of a root from each pair
    z, 1/z, the one of the most linear phase."""
    from scipy.special import comb

    groups = []
    for y in np.roots([comb(5 + k, k) for k in reversed(range(6))]):
        pair = np.roots([1, 4 * y - 2, 1])
        if y.imag > 1e-9:  # its conjugate belongs to the group
            groups.append([[z, z.conj()] for z in pair])
        elif abs(y.imag) <= 1e-9:
            groups.append([[z] for z in pair])
    found = []
    for choice in itertools.product(*groups):
        taps = np.real(np.poly([-1] * 6 + [z for zs in choice for z in zs]))
        taps *= np.sqrt(2) / taps.sum()
        frequency = np.linspace(0.01, 3, 200)
        response = np.exp(-1j * np.outer(frequency, np.arange(12))) @ taps
        phase = np.unwrap(np.angle(response))
        line = np.polyfit(frequency, phase, 1)
        found.append((np.abs(phase - np.polyval(line, frequency)).max(), tuple(taps)))
    ours = np.array(geometry.SYM6)
    best = [np.array(taps) for error, taps in sorted(found)[:2]]  # one, and its mirror image
    assert min(np.abs(taps - ours).max() for taps in best) < 1e-7


def test_the_filter_is_orthonormal():
    taps = np.array(geometry.SYM6)
    assert taps.sum() == pytest.approx(np.sqrt(2), abs=1e-12)
    for shift in range(6):
        product = taps[2 * shift :] @ taps[: len(taps) - 2 * shift]
        assert product == pytest.approx(float(shift == 0), abs=1e-11)


# ---- Affine maps


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (2, 3), (32, 32)])
def test_the_identity_is_exact(size, deterministic):
    images = noise(2, 3, *size)
    same = geometry.transform(images, eye(2), images.new_zeros(2, 2))
    torch.testing.assert_close(same, images, atol=1e-10, rtol=0)


@pytest.mark.parametrize("shift", [(1, 0), (0, -2), (3, 2)])
def test_whole_pixels_are_exact(shift, deterministic):
    images = noise(1, 2, 12, 12)
    moved = geometry.transform(images, eye(1), torch.tensor([shift], dtype=torch.float64))
    expected = translate(images, torch.tensor([shift[1]]), torch.tensor([shift[0]]))
    inside = slice(4, -4)
    torch.testing.assert_close(
        moved[..., inside, inside], expected[..., inside, inside], atol=1e-10, rtol=0
    )


AFFINE = [
    (0.0, 1.0, 1.0, (0.5, 0.25)),
    (0.7, 1.0, 1.0, (0.0, 0.0)),
    (0.0, 1.3, 0.8, (0.0, 0.0)),
    (-2.0, 1.2, 1.1, (1.3, -2.6)),
    (1.1, 0.85, 1.25, (-9.4, 6.2)),
]


@pytest.mark.parametrize(("angle", "across", "down", "shift"), AFFINE)
@pytest.mark.parametrize("size", [(24, 24), (20, 29)])
def test_affine_maps_are_those_of_scipy(angle, across, down, shift, size, deterministic):
    """Between pixels and beyond the border, where the image is mirrored at its outer pixels."""
    images = smooth(size)
    two = torch.ones(2, dtype=torch.float64)
    inverse = rotation(angle * two) @ diagonal(across * two, down * two)
    found = geometry.transform(images, inverse, torch.tensor([shift] * 2, dtype=torch.float64))
    matrix = np.flip(inverse[0].numpy())  # scipy counts (y, x)
    centre = (np.array(size) - 1) / 2
    offset = centre - matrix @ (centre + np.array(shift[::-1]))
    for image, ours in zip(images.flatten(0, 1).numpy(), found.flatten(0, 1).numpy(), strict=True):
        expected = ndimage.affine_transform(image, matrix, offset, order=5, mode="mirror")
        # Of images with unit variance; a shift by 1/20 of a pixel more would be noticed. Errors are
        # largest at the border, where the mirrored image has a kink.
        assert np.abs(ours - expected).mean() < 0.015
        assert np.abs(ours - expected).max() < 0.2


def test_a_rotation_by_a_quarter_is_nearly_a_blit():
    images = smooth((17, 17))
    quarter = rotation(torch.full((2,), np.pi / 2, dtype=torch.float64))
    found = geometry.transform(images, quarter, images.new_zeros(2, 2))
    ways = [(found - rotate90(images, torch.tensor([k, k]))).abs().max().item() for k in range(4)]
    assert min(ways[1], ways[3]) < 0.1
    assert ways[0] > 0.5


def test_frequencies_that_would_alias_are_removed():
    """A wave of 0.4 cycles a pixel has 0.8 at half of the size; pixels show 0.5 at most."""
    wave = torch.cos(2 * np.pi * 0.4 * torch.arange(48, dtype=torch.float64)).expand(1, 1, 48, 48)
    shrunk = geometry.transform(wave, 2 * eye(1), torch.zeros(1, 2, dtype=torch.float64))
    naive = ndimage.affine_transform(wave[0, 0].numpy(), np.eye(2) * 2, (-23.5,) * 2, order=1)
    inside = slice(14, -14)
    assert shrunk[0, 0, inside, inside].std() < 0.1 * naive[inside, inside].std()


def test_each_image_has_its_own_map():
    images = smooth((16, 16))
    shift = torch.tensor([[0.0, 0.0], [2.0, 1.0]], dtype=torch.float64)
    found = geometry.transform(images, eye(2), shift)
    torch.testing.assert_close(found[0], images[0], atol=1e-9, rtol=0)
    torch.testing.assert_close(found[1, :, 5:11, 6:11], images[1, :, 4:10, 4:9], atol=1e-9, rtol=0)


def test_it_is_differentiable_twice(deterministic):
    images = noise(2, 1, 5, 4).requires_grad_()
    inverse = rotation(torch.tensor([0.3, -1.0], dtype=torch.float64))
    shift = torch.tensor([[0.4, -1.2], [0.0, 3.3]], dtype=torch.float64)

    def cubed(x: Tensor) -> Tensor:
        return geometry.transform(x, inverse, shift).pow(3)

    assert torch.autograd.gradcheck(cubed, images)
    assert torch.autograd.gradgradcheck(cubed, images)
