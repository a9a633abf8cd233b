"""Weights in the published layout that stand in for the published ones where they cannot be had."""

import io
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_cli.metrics.features.inception_input import resize_tf


@torch.no_grad()
def write_random_weights(path: Path, images: Tensor, seed: int = 0) -> Path:
    """Kaiming-normal convolutions; batch norm with the statistics of `images`, uint8 (N, 3, H, W).

    Without those statistics the signal dies along the layers, and with it every difference that a
    comparison could find. Scale and shift of 1/2 keep most ReLUs open; at 1 and 0 the network is
    chaotic: rounding grows 20 times as large, and bfloat16 features are off by 17 %, not 2 %.
    """
    rng = torch.Generator().manual_seed(seed)
    network = untrained()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.copy_(0.5 + 0.1 * torch.randn(module.weight.shape, generator=rng))
            module.bias.copy_(0.5 + 0.1 * torch.randn(module.bias.shape, generator=rng))
            module.momentum = 1.0  # the running statistics become those of the batch
    network.fc.weight.copy_(torch.randn(network.fc.weight.shape, generator=rng) / 16)
    pixels = (resize_tf(images) - 128) / 128
    nn.Sequential(*list(network.children())[:-1]).train()(pixels)
    torch.save(network.eval().state_dict(), path)
    return path


def untrained() -> Any:
    """torch-fidelity's network has no constructor without a file of weights."""
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with mock.patch.object(FeatureExtractorInceptionV3, "load_state_dict"):
        return FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], empty)
