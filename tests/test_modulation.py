"""Modulated convolutions, equalized layers and the mapping network against their equations."""

import math

import pytest
import torch
import torch.nn.functional as F

from gan_cli.networks.layers.equalized import EqualLinear, activate
from gan_cli.networks.layers.mapping import Mapping
from gan_cli.networks.layers.modulated import ModulatedConv2d, ToImage


def kernels(layer: ModulatedConv2d, w: torch.Tensor) -> torch.Tensor:
    """Modulated and demodulated kernels of each sample, Equations 1 and 3; (N, O, I, 3, 3)."""
    weight = layer.weight[None] * layer.style(w)[:, None, :, None, None]
    return weight / weight.square().sum((2, 3, 4), keepdim=True).sqrt()


@pytest.mark.parametrize("up", [False, True])
def test_scaled_activations_equal_kernels_of_each_sample(up):
    torch.manual_seed(0)
    layer = ModulatedConv2d(6, 5, 12, up).double()
    x, w = torch.randn(4, 6, 7, 9).double(), torch.randn(4, 12).double()
    weight, grouped = kernels(layer, w), x.reshape(1, 24, 7, 9)
    if up:  # zeros between the pixels, and the filter [1, 3, 3, 1] with a gain of 4
        weight = weight.transpose(1, 2).reshape(24, 5, 3, 3)
        y = F.conv_transpose2d(grouped, weight, stride=2, groups=4)
        taps = torch.tensor([1.0, 3, 3, 1]).double()
        taps = (torch.outer(taps, taps) / 16).expand(20, 1, 4, 4)
        y = F.conv2d(y, taps, padding=1, groups=20)
    else:
        y = F.conv2d(grouped, weight.reshape(20, 6, 3, 3), padding=1, groups=4)
    torch.testing.assert_close(layer(x, w), y.view(4, 5, *y.shape[2:]), rtol=1e-5, atol=1e-7)


def test_outputs_have_unit_variance_for_every_style():
    torch.manual_seed(0)
    layer = ModulatedConv2d(32, 256, 12)
    for strength in (0.1, 1.0, 30.0):
        with torch.no_grad():
            y = layer(torch.randn(64, 32, 9, 9), strength * torch.randn(64, 12))
        assert y[..., 1:-1, 1:-1].var().item() == pytest.approx(1, rel=0.03)


def test_the_contrast_of_the_image_depends_on_the_style():
    """Without demodulation, a style twice as large gives an image twice as large."""
    torch.manual_seed(0)
    layer = ToImage(8, 3, 12)
    x, w = torch.randn(2, 8, 4, 4), torch.zeros(2, 12)
    once = layer(x, w)  # the bias of the styles is 1
    with torch.no_grad():
        expected = torch.einsum("oc,nchw->nohw", layer.weight[:, :, 0, 0], x) / math.sqrt(8)
        torch.testing.assert_close(once, expected)
        layer.style.bias.mul_(2)
        torch.testing.assert_close(layer(x, w), 2 * once)


def test_initial_parameters_are_scaled_at_run_time():
    torch.manual_seed(0)
    layer = EqualLinear(400, 300, lr_multiplier=0.01, shift=0.5)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.02)
    with torch.no_grad():
        y = layer(torch.randn(200, 400))
    assert y.var().item() == pytest.approx(1, rel=0.05)
    assert y.mean().item() == pytest.approx(0.5, abs=0.02)


def test_a_multiplier_slows_a_layer_down():
    """Adam's first step moves each parameter by lr: the output moves with the multiplier."""
    moved = []
    for multiplier in (1.0, 0.01):
        torch.manual_seed(0)
        layer = EqualLinear(16, 1, lr_multiplier=multiplier)
        x, adam = torch.ones(1, 16), torch.optim.Adam(layer.parameters(), 1e-3)
        before = layer(x)
        before.sum().backward()
        adam.step()
        moved.append((before - layer(x)).item())
    assert moved[0] == pytest.approx(1e-3 * (16 / 4 + 1), rel=1e-3)
    assert moved[1] == pytest.approx(moved[0] / 100, rel=1e-2)


def test_a_layer_of_classes_is_one_of_one_hot_codes():
    torch.manual_seed(0)
    layer, label = EqualLinear(5, 7), torch.tensor([3, 0, 4])
    torch.testing.assert_close(layer.of_class(label), layer(F.one_hot(label, 5).float()))


def test_latents_and_labels_are_normalized():
    torch.manual_seed(0)
    mapping = Mapping(8, 5, 16, 3)
    z, label = torch.randn(4, 8), torch.arange(4)
    torch.testing.assert_close(mapping(7 * z, label), mapping(z, label))
    code = mapping.embedding(F.one_hot(label, 5).float())
    h = torch.cat([math.sqrt(8) * F.normalize(z), math.sqrt(16) * F.normalize(code)], 1)
    for layer in mapping.layers:
        h = layer.weight @ h[..., None] * (0.01 / math.sqrt(h.shape[1]))
        h = F.leaky_relu(h.squeeze(2), 0.2) * math.sqrt(2)
    torch.testing.assert_close(mapping(z, label), h, rtol=1e-4, atol=1e-5)


def test_activation_keeps_the_second_moment():
    torch.manual_seed(0)
    assert activate(torch.randn(10**6)).square().mean().item() == pytest.approx(1.04, rel=0.01)
