"""Classifier-free guidance: Ho & Salimans 2022 (arXiv:2207.12598)."""

from typing import Any

import torch
from torch import Tensor

from gan_cli.diffusion.denoiser import Network


def guided(network: Any, label: Tensor | None, unlabelled: int, weight: float) -> Network:
    """Returns the network for labels (N,), as a function of samples and times.

    Its outputs are without + weight (with - without), Equation 6 with weight = 1 + w: those with
    the label, and with `unlabelled` in its place.
    """
    if label is None or weight in (0, 1):
        given = label if weight else None
        return lambda x, time: network(x, time, given)
    both = torch.cat((label, torch.full_like(label, unlabelled)))

    def outputs(x: Tensor, time: Tensor) -> Tensor:
        known, unknown = network(torch.cat((x, x)), torch.cat((time, time)), both).chunk(2)
        result: Tensor = unknown + weight * (known - unknown)
        return result

    return outputs
