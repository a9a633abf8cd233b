"""Trains the classifier of a data set, reproducibly and in a minute or two on one core.

It is called when a run starts, so it uses a random generator of its own.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HELD_OUT = 5_000  # images, or a tenth if that is less: the error of an accuracy of 95 % is 0.3 %
BATCH = 64
EPOCHS, MIN_IMAGES, MAX_IMAGES = 8, 5_000, 100_000  # bounds of the images seen during training
RATE, DECAY = 4e-3, 0.05
SHIFT = 2  # pixels, for augmentation; no mirroring, since digits and letters are not symmetric


def train(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Trains on images (N, C, H, W) uint8 and labels (N,), and returns the held-out accuracy.

    The last images are held out.
    AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with a one-cycle learning rate. The number of
    steps is fixed: stopping at the best accuracy would be training on the held-out images.
    """
    rng = torch.Generator().manual_seed(0)
    known = len(images) - min(HELD_OUT, math.ceil(len(images) / 10))
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    batches = batch_indices(known, rng)  # (steps, BATCH)
    device = next(network.parameters()).device
    network.train()
    for step, picked in enumerate(batches):
        optimizer.param_groups[0]["lr"] = RATE * one_cycle((step + 0.5) / len(batches))
        with torch.enable_grad():
            logits = network(shifted(images[picked], rng).to(device))
            F.cross_entropy(logits, labels[picked].to(device)).backward()
        optimizer.step()
        optimizer.zero_grad()
    return accuracy(network, images[known:], labels[known:])


def batch_indices(count: int, rng: torch.Generator) -> Tensor:
    """Indices below `count` (steps, BATCH), in a new random order for each epoch."""
    seen = min(max(EPOCHS * count, MIN_IMAGES), MAX_IMAGES) // BATCH * BATCH
    epochs = [torch.randperm(count, generator=rng) for _ in range(math.ceil(seen / count))]
    return torch.cat(epochs)[:seen].view(-1, BATCH)


def one_cycle(progress: float) -> float:
    """Factor of the learning rate: rises for 30 % of the steps, then falls along half a cosine.

    Smith & Topin 2019 (arXiv:1708.07120).
    """
    if progress < 0.3:
        return progress / 0.3
    return (1 + math.cos(math.pi * (progress - 0.3) / 0.7)) / 2


def shifted(images: Tensor, rng: torch.Generator) -> Tensor:
    """Images shifted at random by up to SHIFT pixels along each axis; edge pixels are repeated."""
    count, _, height, width = images.shape
    dy, dx = torch.randint(-SHIFT, SHIFT + 1, (2, count, 1), generator=rng)
    rows = (torch.arange(height) + dy).clamp(0, height - 1)[:, :, None]  # (N, H, 1)
    columns = (torch.arange(width) + dx).clamp(0, width - 1)[:, None]  # (N, 1, W)
    sample = torch.arange(count)[:, None, None]
    return images.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images that `network` classifies correctly; sets it to evaluation mode."""
    network.eval()
    device = next(network.parameters()).device
    predictions = [network(part.to(device)).argmax(1).cpu() for part in images.split(250)]
    return (torch.cat(predictions) == labels).float().mean().item()
