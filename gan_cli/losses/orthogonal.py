"""Orthogonal regularization of the weights of a generator."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_cli.config.schedules import Schedule, Weight
from gan_cli.losses.penalty import GeneratorTurn, Penalty, penalties


@penalties.register("orthogonal")
@dataclass(kw_only=True)
class Orthogonal(Penalty):
    """Sum of |W W^T * (1 - I)|^2: Brock et al. 2019 (arXiv:1809.11096), Equation 3.

    The rows of W are the filters of a layer. Their products with each other are to be 0, while
    their lengths are free. Embeddings are left out, and with spectral normalization the weights are
    those before it, both as in the authors' code.
    """

    weight: Weight = Schedule(1e-4)  # strength of the penalty
    player = "generator"
    by_gradient = False
    per_sample = False
    needs = frozenset({"network"})

    def __call__(self, turn: GeneratorTurn) -> Tensor:
        assert turn.network is not None, "validation refuses games that do not pass it"
        sums = [off_diagonal(weight) for weight in filters_of(turn.network)]
        return torch.stack(sums).sum() if sums else turn.fake.new_zeros(())


def filters_of(network: nn.Module) -> Iterator[Tensor]:
    """Yields the weights of linear layers and convolutions, (filters, rest)."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            parts = getattr(layer, "parametrizations", None)
            normed = parts is not None and parametrize.is_parametrized(layer, "weight")
            weight = parts.weight.original if parts is not None and normed else layer.weight
            turned = isinstance(layer, nn.modules.conv._ConvTransposeNd)
            yield (weight.transpose(0, 1) if turned else weight).flatten(1).float()


def off_diagonal(weight: Tensor) -> Tensor:
    """Sum of the squared products of different rows of (filters, rest)."""
    filters, rest = weight.shape
    if filters <= rest:
        gram = weight @ weight.T
        return (gram - gram.diag().diag()).square().sum()
    # |W W^T| = |W^T W|, which is smaller: BigGAN has a layer of 24,576 filters of length 20.
    diagonal = weight.square().sum(1)
    return (weight.T @ weight).square().sum() - diagonal.square().sum()
