"""Layers that add statistics of the batch to the features of a discriminator.

They counteract mode collapse, since they show how varied a batch is. Although they couple the
samples of a batch, they are allowed with per-sample penalties, unlike batch norm: Karras et al.
2018 used the standard deviation with WGAN-GP and StyleGAN2 with R1, and the penalty then bounds how
fast the logits of the whole batch change with a single sample. Batch norm subtracts the mean of the
batch in every layer, and so removes most of the gradient that the penalty is meant to bound.

The batch is the part that one process passes at once: batch_size / (processes * accumulate).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.networks.layers.equalized import at_least_float32

Minibatch = Literal["none", "std", "discrimination"]
KERNELS, DIMENSIONS = 100, 5  # B and C of Salimans et al. 2016


class MinibatchStd(nn.Module):
    """Minibatch standard deviation: Karras et al. 2018 (arXiv:1710.10196), Section 3.

    The standard deviation of each feature over the batch is averaged over all features, and the
    result is appended to every sample as a feature.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) to (N, F + 1)."""
        variance = x.float().var(0, correction=0)  # (F,)
        # 1e-8 as in the authors' code: the derivative of the root is finite for equal samples.
        deviation = (variance + 1e-8).sqrt().mean()
        return torch.cat((x, deviation.to(x.dtype).expand(len(x), 1)), 1)


class GroupedMinibatchStd(nn.Module):
    """Minibatch standard deviation of feature maps over groups of the batch, as in StyleGAN2.

    A batch that `group` does not divide has the largest groups below it that do.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C + 1, H, W)."""
        count, height, width = len(x), *x.shape[2:]
        group = max(g for g in range(1, min(self.group, count) + 1) if count % g == 0)
        groups = at_least_float32(x).unflatten(0, (group, -1))  # (group, N / group, C, H, W)
        deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        maps = deviation.to(x.dtype).repeat(group).view(-1, 1, 1, 1)  # (N, 1, 1, 1)
        maps = maps.expand(-1, 1, height, width)
        return torch.cat((x, maps), 1)


class MinibatchDiscrimination(nn.Module):
    """Minibatch discrimination: Salimans et al. 2016 (arXiv:1606.03498), Section 3.2.

    Appends o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1), with M_i = T f(x_i) of B rows and C columns,
    which measures how close other samples are. The sum includes j = i, a constant 1 that the bias
    of the next layer can compensate.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, KERNELS * DIMENSIONS, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) to (N, F + KERNELS)."""
        # C before B, since a sum over a last dimension of 5 takes twice the time.
        columns = self.project(x).float().unflatten(1, (KERNELS, DIMENSIONS)).mT.contiguous()
        distance = (columns[:, None] - columns[None]).abs().sum(2)  # (N, N, C, B) to (N, N, B)
        return torch.cat((x, (-distance).exp().sum(1).to(x.dtype)), 1)


def minibatch_layer(kind: Minibatch, features: int) -> tuple[nn.Module, int]:
    """The layer before the head of a discriminator, and the number of features that it returns.

    Its position is that of Salimans et al. 2016 and Karras et al. 2018.
    """
    if kind == "std":
        return MinibatchStd(), features + 1
    if kind == "discrimination":
        return MinibatchDiscrimination(features), features + KERNELS
    return nn.Identity(), features
