"""Layers with an equalized learning rate: Karras et al. 2018 (arXiv:1710.10196), Section 4.1.

Weights are drawn from N(0, 1) and multiplied by 1 / sqrt(fan-in) at run time, so that the steps of
Adam, whose size does not depend on the gradient's, are equally large in every layer.
"""

import math
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGEST_HALF = 256.0  # activations in float16 are clamped to this, as in the code of the authors


class EqualLinear(nn.Linear):
    """(N, inputs) to (N, outputs).

    With `lr_multiplier` the layer learns so many times as fast: its parameters are divided by the
    multiplier at the start, and multiplied by it at run time. `shift` is the initial bias.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bias: bool = True,
        lr_multiplier: float = 1.0,
        shift: float = 0.0,
    ) -> None:
        super().__init__(inputs, outputs, bias)
        self.scale, self.multiplier = lr_multiplier / math.sqrt(inputs), lr_multiplier
        nn.init.normal_(self.weight, 0, 1 / lr_multiplier)
        if bias:
            nn.init.constant_(self.bias, shift / lr_multiplier)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias * self.multiplier
        return F.linear(x, self.weight * self.scale, bias)

    def of_class(self, label: Tensor) -> Tensor:
        """What the layer returns for one-hot codes: labels (N,) to (N, outputs)."""
        return F.embedding(label, self.weight.T) * self.scale + self.bias * self.multiplier


class EqualConv2d(nn.Conv2d):
    """A convolution with an odd kernel and padding that keeps the size, or none at stride 2."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, bias: bool = True
    ) -> None:
        padding = size // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, size, stride, padding, bias=bias)
        self.scale = 1 / math.sqrt(inputs * size**2)
        nn.init.normal_(self.weight)
        if bias:
            nn.init.zeros_(self.bias)  # type: ignore[arg-type]  # its stub leaves None open

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2 times sqrt(2), which about keeps the second moment of N(0, 1)."""
    x = F.leaky_relu(x, 0.2) * math.sqrt(2)
    return x.clamp(-LARGEST_HALF, LARGEST_HALF) if x.dtype == torch.float16 else x


def full_precision(x: Tensor) -> AbstractContextManager[None]:
    """Context without autocast, for what must not be rounded."""
    return torch.autocast(x.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
