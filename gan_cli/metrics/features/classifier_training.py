"""How the classifier of a data set learns: within a minute or two on one core, the same each time.

It runs while a training starts, so that its random numbers come from a generator of its own.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HELD_OUT = 5_000  # images at most, else a tenth: an accuracy of 95 % is known to 0.3 %
BATCH = 64
REPEATS, FEWEST, MOST = 8, 5_000, 100_000  # passes over small data; images seen in all
RATE, DECAY = 4e-3, 0.05
SHIFT = 2  # pixels of augmentation; no mirroring, since digits and letters have a direction


def train(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The accuracy on the part of (N, C, H, W) uint8 and (N,) that was held out, the last of each.

    AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over one cycle of the rate. The length is
    fixed beforehand: to stop at the best accuracy would be to learn from the held-out part.
    """
    rng = torch.Generator().manual_seed(0)
    known = len(images) - min(HELD_OUT, math.ceil(len(images) / 10))
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    batches = drawn(known, rng)  # (steps, BATCH)
    device = next(network.parameters()).device
    network.train()
    for step, picked in enumerate(batches):
        optimizer.param_groups[0]["lr"] = RATE * one_cycle((step + 0.5) / len(batches))
        with torch.enable_grad():
            logits = network(shifted(images[picked], rng).to(device))
            F.cross_entropy(logits, labels[picked].to(device)).backward()
        optimizer.step()
        optimizer.zero_grad()
    return tested(network, images[known:], labels[known:])


def drawn(count: int, rng: torch.Generator) -> Tensor:
    """Indices below `count` (steps, BATCH): pass after pass, each in an order of its own."""
    seen = min(max(REPEATS * count, FEWEST), MOST) // BATCH * BATCH
    passes = [torch.randperm(count, generator=rng) for _ in range(math.ceil(seen / count))]
    return torch.cat(passes)[:seen].view(-1, BATCH)


def one_cycle(progress: float) -> float:
    """Smith & Topin 2019 (arXiv:1708.07120): up over the first 30 %, then down along a cosine."""
    if progress < 0.3:
        return progress / 0.3
    return (1 + math.cos(math.pi * (progress - 0.3) / 0.7)) / 2


def shifted(images: Tensor, rng: torch.Generator) -> Tensor:
    """Each displaced by up to SHIFT pixels either way, its edge repeated where it left."""
    count, _, height, width = images.shape
    dy, dx = torch.randint(-SHIFT, SHIFT + 1, (2, count, 1), generator=rng)
    rows = (torch.arange(height) + dy).clamp(0, height - 1)[:, :, None]  # (N, H, 1)
    columns = (torch.arange(width) + dx).clamp(0, width - 1)[:, None]  # (N, 1, W)
    sample = torch.arange(count)[:, None, None]
    return images.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)


@torch.no_grad()
def tested(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share that it classifies correctly, in eval mode."""
    network.eval()
    device = next(network.parameters()).device
    guesses = [network(part.to(device)).argmax(1).cpu() for part in images.split(250)]
    return (torch.cat(guesses) == labels).float().mean().item()
