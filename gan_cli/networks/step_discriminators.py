"""Discriminators of the steps of a denoising diffusion GAN: Xiao et al. 2022 (arXiv:2112.07804).

They see x_s and the noisier x_t, joined along channels, and the time t.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, silu

from gan_cli.config.ranges import Count, Depth, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.initialization import initialize_glorot
from gan_cli.networks.layers.minibatch import GroupedMinibatchStd
from gan_cli.networks.layers.resample import Downsample
from gan_cli.networks.layers.sizes import check_halvings
from gan_cli.networks.layers.time import TimeEmbedding
from gan_cli.networks.network import networks

SLOPE = 0.2  # of leaky ReLU
IN_WORDS = {
    "after": "samples after a step towards data",
    "before": "the noisier samples before it",
    "time": "the time of `before`, from 0 to its last, such as 3",
}


class Block(nn.Module):
    """Two convolutions with the time between them, and a shortcut; may halve the size."""

    def __init__(self, inputs: int, outputs: int, time: int, halves: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.time = nn.Linear(time, outputs)
        self.resample_output = Downsample(outputs) if halves else nn.Identity()
        self.resample_input = Downsample(inputs) if halves else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.first(leaky_relu(x, SLOPE)) + self.time(time)[:, :, None, None]
        h = self.second(self.resample_output(leaky_relu(h, SLOPE)))
        return (h + self.shortcut(self.resample_input(x))) * math.sqrt(0.5)


@networks.register("step_discriminator")
class StepDiscriminator(nn.Module):
    """Residual blocks, the deviation over the batch, and a sum over all places.

    With width=128, multipliers=[1, 2, 4, 4] and time_width=256 it has the 12,741,633 parameters of
    the published one for CIFAR-10. Its first block keeps the size.
    """

    inputs_in_words = IN_WORDS

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 128,  # channels at full size
        multipliers: tuple[Count, ...] = (1, 2, 4, 4),  # of the channels; all but the first halve
        time_width: Units = 256,  # of the embedding of the time
        group: Units = 4,  # samples over which the deviation is computed
    ) -> None:
        super().__init__()
        check_halvings(spec, len(multipliers) - 1, "mlp_step_discriminator")
        channels = [width, *(width * m for m in multipliers)]
        last = channels[-1]
        self.time = TimeEmbedding(time_width, time_width)
        self.input = nn.Conv2d(spec.shape[0], width, 1)
        self.blocks = nn.ModuleList(
            Block(*ends, time_width, halves=i > 0) for i, ends in enumerate(pairwise(channels))
        )
        self.deviation = GroupedMinibatchStd(group)
        self.output = nn.Conv2d(last + 1, last, 3, padding=1)
        self.head = nn.Linear(last, 1)
        initialize_glorot(self)
        for block in self.blocks:
            nn.init.zeros_(block.second.weight)  # type: ignore[arg-type,union-attr]

    def forward(self, after: Tensor, before: Tensor, time: Tensor) -> Tensor:
        """x_s and x_t (N, C, H, W), and labels of the times t (N,), to logits (N,)."""
        embedded = leaky_relu(self.time(time), SLOPE)
        h = self.input(torch.cat((after, before), 1))
        for block in self.blocks:
            h = block(h, embedded)
        h = leaky_relu(self.output(self.deviation(h)), SLOPE)
        return self.head(h.sum((2, 3))).squeeze(1)


@networks.register("mlp_step_discriminator")
class MLPStepDiscriminator(nn.Module):
    """Fully connected, for vectors and small images; each layer adds an embedding of the time."""

    inputs_in_words = IN_WORDS

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 128,  # units of a hidden layer
        depth: Depth = 3,  # hidden layers
    ) -> None:
        super().__init__()
        sizes = [math.prod(spec.shape), *[width] * depth]
        self.time = TimeEmbedding(width, width)
        self.hidden = nn.ModuleList(nn.Linear(*ends) for ends in pairwise(sizes))
        self.shifts = nn.ModuleList(nn.Linear(width, width) for _ in self.hidden)
        self.head = nn.Linear(width, 1)

    def forward(self, after: Tensor, before: Tensor, time: Tensor) -> Tensor:
        """x_s and x_t (N, *shape), and labels of the times t (N,), to logits (N,)."""
        embedded = silu(self.time(time))
        h = torch.cat((after, before), 1).flatten(1)
        for linear, shift in zip(self.hidden, self.shifts, strict=True):
            h = leaky_relu(linear(h) + shift(embedded), SLOPE)
        return self.head(h).squeeze(1)
