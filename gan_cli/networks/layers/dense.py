"""Fully connected layers, with activations and initializations by name."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.networks.layers.norm import Norm

Activation = Literal["relu", "leaky_relu", "tanh", "maxout"]
Init = Literal["uniform", "normal", "orthogonal"]  # "uniform": PyTorch's default
PIECES = 5  # per maxout unit, as in Goodfellow et al. 2014 and Lin et al. 2018


def maxout(x: Tensor) -> Tensor:
    """Maximum of PIECES linear functions: Goodfellow et al. 2013 (arXiv:1302.4389)."""
    return x.unflatten(1, (PIECES, -1)).amax(1)  # (N, PIECES * width) to (N, width)


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "tanh": torch.tanh,
    "maxout": maxout,
}


def units(width: int, activation: Activation) -> int:
    """Outputs of a linear layer whose activation has `width` units."""
    return PIECES * width if activation == "maxout" else width


def hidden_layers(
    inputs: int, width: int, depth: int, norm: Norm, activation: Activation
) -> nn.ModuleList:
    """Linear layers, without bias if a norm follows, which has its own."""
    outputs, sizes = units(width, activation), [inputs, *[width] * (depth - 1)]
    return nn.ModuleList(nn.Linear(size, outputs, bias=norm == "none") for size in sizes)


def initialize(network: nn.Module, init: Init) -> None:
    """Initializes the linear layers in place.

    "normal" is N(0, 0.02), as in DCGAN and PacGAN; "orthogonal" has a gain of 1.4, as in the code
    of unrolled GANs; "uniform" keeps PyTorch's default.
    """
    if init == "uniform":
        return
    for module in network.modules():
        if isinstance(module, nn.Linear):
            if init == "normal":
                nn.init.normal_(module.weight, 0, 0.02)
            else:
                nn.init.orthogonal_(module.weight, 1.4)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
