"""Self-attention over positions: SAGAN, Zhang et al. 2019 (arXiv:1805.08318)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.utils.errors import ConfigError


class SelfAttention(nn.Module):
    """x + gamma o: Section 3, with o of Equation 2; gamma is 0 at the start.

    As in the authors' code and in BigGAN, keys and values are pooled to a quarter of the positions,
    queries and keys have an eighth and values half of the channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, values = max(channels // 8, 1), max(channels // 2, 1)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, values, 1, bias=False)
        self.output = nn.Conv2d(values, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        query = self.query(x).flatten(2)  # (N, C / 8, H W)
        key = F.max_pool2d(self.key(x), 2).flatten(2)  # (N, C / 8, H W / 4)
        value = F.max_pool2d(self.value(x), 2).flatten(2)  # (N, C / 2, H W / 4)
        weights = torch.softmax(query.mT @ key, 2)  # (N, H W, H W / 4)
        attended = (value @ weights.mT).unflatten(2, x.shape[2:])  # (N, C / 2, H, W)
        return x + self.gamma * self.output(attended)


def attentions(
    side: int | None, sizes: Sequence[tuple[int, int]], channels: Sequence[int]
) -> nn.ModuleList:
    """A layer after each block: attention after the first whose maps have `side`, or identities.

    `sizes` (height, width) and `channels` are those of the outputs of the blocks; `side` is the
    longer one. Raises ConfigError if no block has such maps.
    """
    layers = nn.ModuleList(nn.Identity() for _ in sizes)
    if side is None:
        return layers
    sides = [max(size) for size in sizes]
    if side not in sides:
        known = " or ".join(str(known) for known in dict.fromkeys(sides))
        raise ConfigError(f"attention: no block has maps of side {side}; type {known}, or null")
    at = sides.index(side)
    layers[at] = SelfAttention(channels[at])
    return layers
