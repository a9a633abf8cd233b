"""Grouped convolutions of stride 1 whose second derivatives are single operations.

A gradient penalty differentiates the gradient of a critic. PyTorch 2 computes the derivative of
this with respect to a weight in a loop over the groups, with whole maps as kernels, even if the
weight is a constant; R3GAN has 96 groups. Here it is one operation, the same as in the first
derivative: the convolution and the gradient of its weight, which are both bilinear, are each
other's derivatives.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GroupedConv2d(nn.Conv2d):
    """nn.Conv2d with an odd kernel, and padding that keeps the size."""

    def __init__(self, inputs: int, outputs: int, size: int, groups: int) -> None:
        super().__init__(inputs, outputs, size, padding=size // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight, self.bias, self.groups)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """F.conv2d with padding that keeps the size of (N, C, H, W)."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or not torch.is_grad_enabled():
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=groups)
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight = x.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    result: Tensor = Convolution.apply(x, weight, bias, groups)
    return result


class Convolution(torch.autograd.Function):
    """y = W * x + b."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=groups)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        x, weight, _, ctx.groups = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
        groups = ctx.groups
        return (
            Convolution.apply(grad, adjoint(weight, groups), None, groups) if needs_x else None,
            WeightGradient.apply(x, grad, weight.detach(), groups) if needs_weight else None,
            grad.sum((0, 2, 3)) if needs_bias else None,
            None,
        )


class WeightGradient(torch.autograd.Function):
    """The derivative of <W * x, g> with respect to W, which is bilinear in x and g."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, grad: Tensor, weight: Tensor, groups: int) -> Tensor:
        padding = [size // 2 for size in weight.shape[2:]]
        _, result, _ = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [1, 1], padding, [1, 1], False, [0, 0], groups,
            [False, True, False],
        )  # fmt: skip
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        x, grad, _, ctx.groups = inputs
        ctx.save_for_backward(x, grad)

    @staticmethod
    def backward(ctx: Any, direction: Tensor) -> tuple[Tensor | None, ...]:
        x, grad = ctx.saved_tensors
        needs_x, needs_grad, *_ = ctx.needs_input_grad
        groups = ctx.groups
        return (
            Convolution.apply(grad, adjoint(direction, groups), None, groups) if needs_x else None,
            Convolution.apply(x, direction, None, groups) if needs_grad else None,
            None,
            None,
        )


def adjoint(weight: Tensor, groups: int) -> Tensor:
    """The weight of the transposed convolution: inputs and outputs change places, and it turns."""
    outputs, inputs, *size = weight.shape
    parts = weight.view(groups, outputs // groups, inputs, *size).transpose(1, 2)
    return parts.reshape(groups * inputs, outputs // groups, *size).flip(2, 3)
