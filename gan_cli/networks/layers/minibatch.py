"""Layers through which a discriminator sees how varied its batch is: remedies for mode collapse.

They couple the samples of a batch, yet per-sample penalties are not refused beside them as they are
beside batch norm: Karras et al. 2018 published the deviation with WGAN-GP, StyleGAN2 with R1, and
the penalty then bounds how fast the logits of the whole batch change with one of its samples. Batch
norm takes the mean of the batch out of every layer, and so most of the very slope to be bounded.

The batch is what one process plays at once: batch_size / (processes * accumulate).
"""

from typing import Literal

import torch
from torch import Tensor, nn

Minibatch = Literal["none", "std", "discrimination"]
KERNELS, DIMENSIONS = 100, 5  # of minibatch discrimination: B and C of Salimans et al. 2016


class MinibatchStd(nn.Module):
    """Karras et al. 2018 (arXiv:1710.10196), Section 3: the deviation over the batch, one number.

    The mean over all features of their standard deviations joins every sample as a feature.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) to (N, F + 1)."""
        variance = x.float().var(0, correction=0)  # (F,)
        # 1e-8 as in the authors' code: the root's slope at zero, in equal samples, stays finite.
        deviation = (variance + 1e-8).sqrt().mean()
        return torch.cat((x, deviation.to(x.dtype).expand(len(x), 1)), 1)


class MinibatchDiscrimination(nn.Module):
    """Salimans et al. 2016 (arXiv:1606.03498), Section 3.2: how close each sample has others.

    o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1) with M_i = T f(x_i) of B rows and C columns. The sum
    holds j = i, a one that the next layer's bias takes in.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, KERNELS * DIMENSIONS, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) to (N, F + KERNELS)."""
        # C before B: a sum over the last dimension, of five numbers, takes twice the time.
        columns = self.project(x).float().unflatten(1, (KERNELS, DIMENSIONS)).mT.contiguous()
        distance = (columns[:, None] - columns[None]).abs().sum(2)  # (N, N, C, B) to (N, N, B)
        return torch.cat((x, (-distance).exp().sum(1).to(x.dtype)), 1)


def minibatch_layer(kind: Minibatch, features: int) -> tuple[nn.Module, int]:
    """The layer between (N, features) and the head of a discriminator, and what it widens them to.

    Salimans et al. 2016 and Karras et al. 2018 have it as near to the end.
    """
    if kind == "std":
        return MinibatchStd(), features + 1
    if kind == "discrimination":
        return MinibatchDiscrimination(features), features + KERNELS
    return nn.Identity(), features
