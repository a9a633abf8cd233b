"""Grouped convolutions: PyTorch's function, with second derivatives that are one operation."""

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from gan_cli.networks.layers.conv import GroupedConv2d, adjoint, convolve

CASES = [(1, 1), (1, 3), (2, 3), (4, 5), (8, 3)]  # groups, size of the kernel


def problem(groups: int, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 4, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(8, 8 // groups, size, size, dtype=torch.float64, requires_grad=True)
    return x, weight, torch.randn(8, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("groups", "size"), CASES)
def test_values_and_derivatives_are_those_of_finite_differences(groups, size):
    x, weight, bias = problem(groups, size)
    expected = F.conv2d(x, weight, bias, padding=size // 2, groups=groups)
    torch.testing.assert_close(convolve(x, weight, bias, groups), expected)
    inputs = (x, weight, bias)
    assert torch.autograd.gradcheck(lambda *given: convolve(*given, groups), inputs)
    assert torch.autograd.gradgradcheck(lambda *given: convolve(*given, groups), inputs)


@pytest.mark.parametrize(("groups", "size"), CASES)
def test_gradients_of_a_gradient_penalty(groups, size):
    """Through torch.func.vjp, as penalties take them, against PyTorch's own convolution."""
    x, weight, bias = problem(groups, size)
    results = []
    for layer in (
        lambda x: convolve(x, weight, bias, groups),
        lambda x: F.conv2d(x, weight, bias, padding=size // 2, groups=groups),
    ):
        values, pull = torch.func.vjp(lambda x: torch.tanh(layer(x)).square().sum((1, 2, 3)), x)  # noqa: B023
        penalty = pull(torch.ones_like(values))[0].square().sum() + values.sum()
        results.append((penalty, *torch.autograd.grad(penalty, (x, weight, bias))))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_adjoint():
    """<W * x, y> = <x, W' * y>."""
    x, weight, _ = problem(4, 3)
    y = torch.randn(2, 8, 4, 3, dtype=torch.float64)
    forward = (convolve(x, weight, None, 4) * y).sum()
    torch.testing.assert_close(forward, (x * convolve(y, adjoint(weight, 4), None, 4)).sum())


class Operations(TorchDispatchMode):
    """Counts the operations that are executed."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


def operations(groups: int, constant: bool = False) -> Counter[str]:
    """Those of R1, forwards and backwards, for a layer of 16 channels."""
    x = torch.randn(2, 16, 8, 8)
    first = torch.randn(16, 16, 1, 1, requires_grad=True)
    weight = torch.randn(16, 16 // groups, 3, 3, requires_grad=not constant)
    with Operations() as seen:
        values, pull = torch.func.vjp(
            lambda x: (
                convolve(F.conv2d(x, first).tanh(), weight, None, groups).tanh().sum((1, 2, 3))
            ),
            x,
        )
        pull(torch.ones_like(values))[0].square().sum().backward()
    return seen.counts


def test_the_number_of_operations_does_not_grow_with_the_groups():
    convolutions = [
        {name: count for name, count in operations(groups).items() if "convolution" in name}
        for groups in (2, 4, 16)
    ]
    assert len(convolutions[0]) == 2
    assert convolutions[0] == convolutions[1] == convolutions[2]


def test_constant_weights_cost_no_gradient():
    key = "aten.convolution_backward.default"
    assert operations(16, constant=True)[key] < operations(16)[key]


def test_autocast_and_tracing():
    layer, x = GroupedConv2d(8, 8, 3, groups=4), torch.randn(2, 8, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(x)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), layer(x), atol=0.03, rtol=0.03)
    rounded.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    traced = torch.jit.trace(layer, (x,))
    torch.testing.assert_close(traced(x), layer(x))
    assert "PythonOp" not in str(traced.graph)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), traced(x))
