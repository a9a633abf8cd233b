"""Norm layers whose gain and bias depend on a vector that all layers of a network share."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_cli.networks.layers.norm import Norm, normalization


class Condition(NamedTuple):
    """What the norm layers of one block see."""

    vector: Tensor | None  # (N, F): part of the latent, shared embedding of the label, or both
    label: Tensor | None  # (N,)


class ConditionalNorm(nn.Module):
    """norm(x) (1 + A v + a[y]) + B v + b[y]: Brock et al. 2019 (arXiv:1809.11096), Appendix C.

    `features` is the length of v; 0: there is none. The tables a and b, one row for each of
    `classes`, are those of layers that share no embedding. With neither, gain and bias are numbers.
    """

    def __init__(self, norm: Norm, features: int, classes: int, channels: int) -> None:
        super().__init__()
        conditional = features > 0 or classes > 0
        self.norm = normalization(norm, channels, affine=not conditional, maps=True)
        self.gain = nn.Linear(features, channels, bias=False) if features else None
        self.bias = nn.Linear(features, channels, bias=False) if features else None
        self.gains = nn.Embedding(classes, channels) if classes else None
        self.biases = nn.Embedding(classes, channels) if classes else None

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """(N, C, H, W) to the same shape."""
        x = self.norm(x)
        gain = combined(condition, self.gain, self.gains)
        bias = combined(condition, self.bias, self.biases)
        if gain is None or bias is None:
            return x
        gain, bias = (1 + gain).to(x.dtype), bias.to(x.dtype)
        return torch.addcmul(bias[:, :, None, None], gain[:, :, None, None], x)


def combined(
    condition: Condition, linear: nn.Linear | None, table: nn.Embedding | None
) -> Tensor | None:
    """What the layers make of the condition, (N, C); None if there are no layers."""
    parts: list[Tensor] = []
    if linear is not None:
        assert condition.vector is not None, "the network passes what its layers were built for"
        parts.append(linear(condition.vector))
    if table is not None:
        assert condition.label is not None, "a conditional network was called without labels"
        parts.append(table(condition.label))
    return None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]
