"""Embedding of the time of a diffusion process."""

import math

import torch
from torch import Tensor, nn

SLOWEST = 10_000  # ratio of the shortest to the longest wavelength


def sinusoids(time: Tensor, width: int) -> Tensor:
    """Returns sines and cosines (N, width) of times (N,) at frequencies from 1 to 1 / SLOWEST.

    Vaswani et al. 2017 (arXiv:1706.03762), Section 3.5, as in DDPM. `width` is even.
    """
    half = width // 2
    decay = torch.arange(half, device=time.device) / max(half - 1, 1)
    angle = time.float()[:, None] * torch.exp(-math.log(SLOWEST) * decay)
    return torch.cat((angle.sin(), angle.cos()), 1)


class TimeEmbedding(nn.Module):
    """Sinusoids, then two linear layers with SiLU: times (N,) to features (N, outputs).

    With `classes`, an embedding of the label is added; that of index `classes` stands for no label.
    """

    def __init__(self, width: int, outputs: int, classes: int = 0) -> None:
        super().__init__()
        self.width, self.classes = 2 * ((width + 1) // 2), classes
        self.first = nn.Linear(self.width, outputs)
        self.second = nn.Linear(outputs, outputs)
        self.label = nn.Embedding(classes + 1, outputs) if classes else None

    def forward(self, time: Tensor, label: Tensor | None = None) -> Tensor:
        sines = sinusoids(time, self.width).to(self.first.weight.dtype)
        h = self.second(nn.functional.silu(self.first(sines)))
        if self.label is None:
            return h
        if label is None:
            label = torch.full_like(time, self.classes, dtype=torch.long)
        return h + self.label(label)
