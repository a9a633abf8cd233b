"""Transforms of colours and of frequency bands, against numpy and scipy."""

import colorsys
import math

import numpy as np
import pytest
import torch
from scipy import signal
from scipy.spatial.transform import Rotation
from torch import Tensor

from gan_cli.augment.bands import POWER, SYM2, amplify, bank, normalized
from gan_cli.augment.color import ColorMap

ANGLES = torch.tensor([0.0, 0.4, -1.3, math.pi, 2.5], dtype=torch.float64)


def colors(count: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, 2, 3, dtype=torch.float64, generator=generator)


def pixels(images: Tensor) -> np.ndarray:
    """Colours (N, pixels, C)."""
    return images.flatten(2).mT.numpy()


def test_hue_is_a_rotation_about_gray():
    images = colors(len(ANGLES))
    changed = ColorMap(images)
    changed.rotate_hue(ANGLES)
    gray = np.ones(3) / np.sqrt(3)
    for before, angle, after in zip(
        pixels(images), ANGLES, pixels(changed.apply(images)), strict=True
    ):
        expected = Rotation.from_rotvec(float(angle) * gray).apply(before)
        np.testing.assert_allclose(after, expected, atol=1e-12)


def test_a_third_of_a_turn_makes_red_green():
    """Primary colours are thirds of the circle of hues, in the order red, green, blue."""
    red = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).view(1, 3, 1, 1)
    changed = ColorMap(red)
    changed.rotate_hue(torch.tensor([2 * math.pi / 3], dtype=torch.float64))
    green = changed.apply(red).flatten()
    assert colorsys.rgb_to_hsv(*green.clamp(0, 1).tolist()) == pytest.approx((1 / 3, 1, 1))


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_luma_flips_reflect_colors_at_zero_luma(channels):
    images = colors(2, channels)
    changed = ColorMap(images)
    changed.flip_luma(torch.tensor([True, False]))
    after = changed.apply(images)
    torch.testing.assert_close(after[0].mean(0), -images[0].mean(0))
    torch.testing.assert_close(after[0] - after[0].mean(0), images[0] - images[0].mean(0))
    torch.testing.assert_close(after[1], images[1])


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_saturation_without_color_is_gray(channels):
    images = colors(2, channels)
    changed = ColorMap(images)
    changed.saturate(torch.tensor([0.0, 3.0], dtype=torch.float64))
    after = changed.apply(images)
    torch.testing.assert_close(after[0], images[0].mean(0).expand(channels, -1, -1))
    mean = images[1].mean(0)
    torch.testing.assert_close(after[1], mean + 3 * (images[1] - mean))


def test_changes_are_composed_in_their_order():
    """By homogeneous matrices of numpy: contrast multiplies the brightness that came before."""
    images = colors(1)
    changed = ColorMap(images)
    one = torch.ones(1, dtype=torch.float64)
    changed.brighten(0.3 * one)
    changed.contrast(1.7 * one)
    changed.flip_luma(torch.tensor([True]))
    changed.rotate_hue(0.9 * one)
    changed.saturate(0.4 * one)
    v = np.ones((3, 1)) / np.sqrt(3)
    gray, rest = v @ v.T, np.eye(3) - v @ v.T
    hue = Rotation.from_rotvec(0.9 * v[:, 0]).as_matrix()
    linear = (gray + 0.4 * rest) @ hue @ (np.eye(3) - 2 * gray) @ (1.7 * np.eye(3))
    expected = (pixels(images)[0] + 0.3) @ linear.T
    np.testing.assert_allclose(pixels(changed.apply(images))[0], expected, atol=1e-12)


# ---- Frequency bands


def double_bank() -> np.ndarray:
    return bank(torch.float64, torch.device("cpu")).numpy()


def test_the_wavelet_of_the_bands_is_that_of_daubechies_with_4_taps():
    """(1 +- sqrt 3) / (4 sqrt 2) and (3 +- sqrt 3) / (4 sqrt 2): Daubechies 1988."""
    root = math.sqrt(3)
    expected = [(1 - root), (3 - root), (3 + root), (1 + root)]
    np.testing.assert_allclose(SYM2, np.array(expected) / (4 * math.sqrt(2)), atol=1e-12)


def test_the_bands_add_up_to_everything():
    total = double_bank().sum(0)
    np.testing.assert_allclose(total, np.eye(43)[21], atol=1e-12)


def test_each_filter_passes_its_band():
    """By scipy's frequency response: above 1/2 in the middle of the band, small far from it."""
    edges = [0, math.pi / 8, math.pi / 4, math.pi / 2, math.pi]
    for i, taps in enumerate(double_bank()):
        frequency, response = signal.freqz(taps, worN=2000)
        gain = np.abs(response)
        inside = (frequency > edges[i]) & (frequency < edges[i + 1])
        far = (frequency < edges[i] / 3) | (frequency > min(3 * edges[i + 1], 4))
        assert gain[inside].mean() > 0.6
        assert gain[far].max(initial=0) < 0.1
        assert frequency[gain.argmax()] == pytest.approx(
            np.clip(frequency[gain.argmax()], edges[i], edges[i + 1])
        )


def test_bands_are_amplified_along_both_axes_as_by_scipy():
    images = torch.randn(3, 2, 50, 47, dtype=torch.float64)
    gains = torch.tensor([[1.0, 1, 1, 1], [0.5, 2, 1, 1], [1, 1, 3, 0.2]], dtype=torch.float64)
    found = amplify(images, gains).numpy()
    np.testing.assert_allclose(found[0], images[0].numpy(), atol=1e-12)
    for i in (1, 2):
        taps = gains[i].numpy() @ double_bank()
        for channel in range(2):
            padded = np.pad(images[i, channel].numpy(), 21, "reflect")
            expected = signal.convolve2d(padded, np.outer(taps, taps), "valid")
            np.testing.assert_allclose(found[i, channel], expected, atol=1e-10)


def test_normalized_gains_keep_the_power_of_natural_images():
    gains = normalized(torch.tensor([[1.0, 4, 1, 1], [2, 2, 2, 2]], dtype=torch.float64))
    assert sum(POWER) == pytest.approx(1)
    for row in gains:
        assert float((row.square() * torch.tensor(POWER)).sum()) == pytest.approx(1)
    torch.testing.assert_close(gains[0] / gains[0, 0], torch.tensor([1.0, 4, 1, 1]).double())


def test_small_images_are_mirrored_as_often_as_needed():
    images = torch.full((1, 1, 4, 5), 0.7, dtype=torch.float64)
    gains = torch.tensor([[1.0, 5, 5, 5]], dtype=torch.float64)
    torch.testing.assert_close(amplify(images, gains), images)  # a constant is in the lowest band
