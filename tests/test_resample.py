"""Resampling by two against the strided filter of scipy, and what follows from its equation."""

import numpy as np
import pytest
import scipy.signal
import torch

from gan_cli.networks.layers.resample import Downsample, Upsample

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def upsampled(x: np.ndarray) -> np.ndarray:
    """Zeros between the pixels, then the filter with a gain of 4."""
    spread = np.zeros((2 * x.shape[0], 2 * x.shape[1]))
    spread[::2, ::2] = x
    return scipy.signal.convolve2d(spread, 4 * FILTER)[1:-2, 1:-2]


def downsampled(x: np.ndarray) -> np.ndarray:
    """The filter, then every second pixel."""
    return scipy.signal.convolve2d(x, FILTER)[2:-1:2, 2:-1:2]


@pytest.mark.parametrize("shape", [(4, 4), (8, 6), (2, 10)])
@pytest.mark.parametrize(("layer", "reference"), [(Upsample, upsampled), (Downsample, downsampled)])
def test_resampling_equals_the_strided_filter(layer, reference, shape):
    x = torch.randn(2, 3, *shape)
    expected = np.stack([[reference(channel) for channel in image] for image in x.numpy()])
    np.testing.assert_allclose(layer(3)(x), expected, atol=1e-6)


def test_resampling_keeps_a_constant_away_from_the_border():
    x = torch.ones(1, 2, 16, 16)
    torch.testing.assert_close(Upsample(2)(x)[..., 1:-1, 1:-1], torch.ones(1, 2, 30, 30))
    torch.testing.assert_close(Downsample(2)(x)[..., 1:-1, 1:-1], torch.ones(1, 2, 6, 6))
    back = Downsample(2)(Upsample(2)(x))
    torch.testing.assert_close(back[..., 2:-2, 2:-2], torch.ones(1, 2, 12, 12))


def test_down_is_a_quarter_of_the_adjoint_of_up():
    """<up(x), y> = 4 <x, down(y)>, since both apply one symmetric filter."""
    x, y = torch.randn(1, 3, 8, 8), torch.randn(1, 3, 16, 16)
    torch.testing.assert_close((Upsample(3)(x) * y).sum(), 4 * (x * Downsample(3)(y)).sum())
