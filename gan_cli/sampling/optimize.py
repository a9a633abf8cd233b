"""Inversion by optimization in Z, W or W+: latents whose samples resemble given ones.

Z: Zhu et al. 2016 (arXiv:1609.03552), Section 3.1. W: Karras et al. 2020 (arXiv:1912.04958),
Appendix D, with its maps of noise if they are asked for. W+, in which each layer has its own style:
Abdal et al. 2019 (arXiv:1904.03189).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gan_cli.games.spaces import styles_of
from gan_cli.metrics.distances import Distance
from gan_cli.networks.layers.latent import seeded_latent
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.noise_maps import WEIGHT, correlation, maps_of, standardize
from gan_cli.utils.noise import Noise

RATE = 0.1  # of Adam, from StyleGAN2's projector
WARM, COOL = 0.05, 0.25  # shares of the steps in which the rate rises, and falls
SHAKEN, SHAKING = 0.05, 0.75  # noise on styles at first, and the share of steps until there is none
STYLES = 2000  # styles of which mean and deviation are computed
FIRST = 2**33  # seed of the first candidate; samples have smaller ones


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (D,) of points of a space."""

    mean: Tensor
    deviation: Tensor

    def squares(self, points: Tensor) -> Tensor:
        """Returns the mean squares (N,) of points (N, ..., D), in standard deviations."""
        return ((points - self.mean) / self.deviation).square().flatten(1).mean(1)

    def to(self, device: torch.device) -> "Spread":
        return Spread(self.mean.to(device), self.deviation.to(device))


def spread_of(autoencoder: Autoencoder, space: str) -> Spread:
    """Returns mean and deviation of the styles of 2,000 seeds; 0 and 1 for latents."""
    generator = autoencoder.generator
    if space == "z":
        zeros = torch.zeros(generator.latent_dim)
        return Spread(zeros, torch.ones_like(zeros))
    w = styles_of(autoencoder.model.game, autoencoder.request(STYLES))[:, 0]
    return Spread(w.mean(0), w.std(0).clamp(min=1e-8))


@dataclass(frozen=True)
class Found:
    """Points (N, ...), and the noise (N, noise_size) of the layers if it was searched for."""

    points: Tensor
    noise: Tensor | None = None


@dataclass(frozen=True)
class Search:
    """Minimizes the distance of G(point) to a sample, plus `pull` times Spread.squares."""

    autoencoder: Autoencoder
    space: Literal["z", "w", "wplus"]
    spread: Spread
    distance: Distance
    steps: int
    candidates: int = 0  # random points, of which the search starts from the nearest
    pull: float = 0.0
    batch_size: int = 64
    noise_maps: bool = False  # search for the noise of the layers, too

    def start(self, samples: Tensor) -> Tensor:
        """Returns where to start without an encoder.

        Latents (N, D) of the seeds 0, 1, ..., or the mean style, unless a candidate is nearer.
        """
        if self.space == "z":
            best = seeded_latent(self.autoencoder.generator, Noise(range(len(samples))))
        else:
            best = self.spread.mean.repeat(len(samples), 1)
        if self.candidates:
            best = self.nearest(samples, best)
        return self.points(best)

    def nearest(self, samples: Tensor, codes: Tensor) -> Tensor:
        """Returns the code (N, D) nearest to each sample, of its own in `codes` and candidates."""
        autoencoder, best = self.autoencoder, codes.clone()
        real = autoencoder.to_model(samples)
        least = self.distances(autoencoder.generate(codes), real)
        drawn = autoencoder.drawn(self.candidates, FIRST)
        for part in drawn.split(self.batch_size):
            made = autoencoder.generate(part)
            for i, sample in enumerate(real):
                found = self.distances(made, sample.expand(len(made), *sample.shape))
                if found.min() < least[i]:
                    least[i], best[i] = found.min(), part[found.argmin()]
        return best

    @torch.no_grad()
    def distances(self, made: Tensor, real: Tensor) -> Tensor:
        """Returns distances (N,) on the CPU."""
        device = self.autoencoder.model.runtime.device
        return self.distance(made.to(device), real.to(device)).cpu()

    def points(self, codes: Tensor) -> Tensor:
        """Returns codes (N, D) as points of the space."""
        if self.space != "wplus":
            return codes
        return codes[:, None].repeat(1, self.autoencoder.generator.styled, 1)

    def run(self, samples: Tensor, start: Tensor) -> Found:
        """Returns what Adam finds from `start`. Samples do not affect each other."""
        parts = zip(samples.split(self.batch_size), start.split(self.batch_size), strict=True)
        found = [self.of_batch(*part, i * self.batch_size) for i, part in enumerate(parts)]
        maps = [part.noise for part in found if part.noise is not None]
        return Found(torch.cat([part.points for part in found]), torch.cat(maps) if maps else None)

    def of_batch(self, samples: Tensor, start: Tensor, first: int) -> Found:
        """Returns what is found for a batch, whose samples have the numbers from `first` on."""
        autoencoder, device = self.autoencoder, self.autoencoder.model.runtime.device
        real, spread = autoencoder.to_model(samples.to(device)), self.spread.to(device)
        noise, scale = Noise(range(first, first + len(samples))), spread.deviation.norm()
        points = start.to(device, copy=True).requires_grad_()
        maps = self.first_maps(noise).to(device).requires_grad_() if self.noise_maps else None
        leaves = [points] if maps is None else [points, maps]
        optimizer: Any = torch.optim.Adam(leaves)
        for step in range(self.steps):
            done = step / self.steps
            optimizer.param_groups[0]["lr"] = RATE * self.rate(done)
            moved = points
            if self.space != "z":
                shaken = SHAKEN * max(0.0, 1 - done / SHAKING) ** 2
                moved = points + shaken * scale * noise.normal(*points.shape[1:]).to(device)
            error = self.distance(autoencoder.decode(moved, maps), real)  # (N,)
            if self.pull:
                error = error + self.pull * spread.squares(points)
            if maps is not None:
                error = error + WEIGHT * self.correlation(maps)
            for leaf, gradient in zip(
                leaves, torch.autograd.grad(error.sum(), leaves), strict=True
            ):
                leaf.grad = gradient
            optimizer.step()
            if maps is not None:
                standardize(maps.data, autoencoder.generator.noise_sizes)
            if self.space == "z" and autoencoder.generator.prior == "uniform":
                points.data.clamp_(-1, 1)
        return Found(points.detach().cpu(), None if maps is None else maps.detach().cpu())

    def first_maps(self, noise: Noise) -> Tensor:
        """Returns the noise (N, noise_size) from which the search starts."""
        return noise.normal(self.autoencoder.generator.noise_size)

    def correlation(self, noise: Tensor) -> Tensor:
        """Returns the correlations (N,) of neighbours in the noise of all layers."""
        height, width = self.autoencoder.field.shape[1:]
        sizes = self.autoencoder.generator.noise_sizes
        return correlation(maps_of(noise, sizes, (height, width)))

    def rate(self, done: float) -> float:
        """Returns the share of the learning rate when the share `done` of the steps is done.

        In W it rises linearly and falls as half a cosine; in Z it only falls.
        """
        if self.space == "z":
            return (1 + math.cos(math.pi * done)) / 2
        return min(1.0, done / WARM) * (1 - math.cos(math.pi * min(1.0, (1 - done) / COOL))) / 2
