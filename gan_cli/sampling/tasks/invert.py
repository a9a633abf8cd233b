"""task=invert: latents of given samples by optimization, by an encoder, and by both.

Zhu et al. 2016 (arXiv:1609.03552), Section 3.1: minimize |x - G(z)|^2 from a random latent, use an
encoder, or minimize from the encoder's latent.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gan_cli.games.request import Request
from gan_cli.networks.layers.latent import seeded_latent
from gan_cli.sampling.arrays import labels_of, write_npz
from gan_cli.sampling.autoencoder import BATCH, Autoencoder
from gan_cli.sampling.task import Job, task
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.strict_json import write_json

STEPS = 300
RATE = 0.1  # initial lr of Adam, from StyleGAN2's projector (arXiv:1912.04958, Appendix D)
Inversions = dict[str, tuple[Tensor, float]]  # method -> latents (N, latent_dim), seconds


@task(
    "invert",
    needs=["model", "latent", "inputs", "shows"],
    keys=["input", "dataset", "count", "steps"],
)
def invert(job: Job) -> list[str]:
    """Writes inversions.npz with the latents, inversions.json, and inversions.png for images."""
    autoencoder, samples = job.autoencoder, job.inputs.samples
    inversions = invert_by_all(autoencoder, samples, job.options.steps or STEPS)
    rebuilt = {name: autoencoder.generate(latents) for name, (latents, _) in inversions.items()}
    real = autoencoder.to_model(samples)
    values = {
        name: {
            "mse": (rebuilt[name] - real).square().mean().item(),
            "latent_mean_square": latents.square().mean().item(),
            "seconds_per_image": seconds / len(samples),
        }
        for name, (latents, seconds) in inversions.items()
    }
    arrays = {name: latents.numpy() for name, (latents, _) in inversions.items()}
    files = [str(write_json(job.folder / "inversions.json", values))]
    npz = job.folder / "inversions.npz"
    files.append(write_npz(npz, {**arrays, **labels_of(job.inputs)}))
    if autoencoder.has_picture:
        columns = [samples, *map(autoencoder.kind.to_stored, rebuilt.values())]
        files.append(write_picture(job.folder / "inversions.png", columns))
    lines = (
        f"{name}: squared error {v['mse']:.4f}, mean square of the latent "
        f"{v['latent_mean_square']:.2f}, {1000 * v['seconds_per_image']:.3g} ms an image"
        for name, v in values.items()
    )
    return [*lines, *files]


def invert_by_all(autoencoder: Autoencoder, samples: Tensor, steps: int) -> Inversions:
    """Inverts samples by each method; the random initial latent of sample i has seed i."""
    noise = Request(range(len(samples))).noise
    random = seeded_latent(autoencoder.generator, noise)
    inversions = {"optimization": timed(lambda: optimize(autoencoder, samples, random, steps))}
    if autoencoder.encoder is None:
        return inversions
    code, encoding = inversions["encoder"] = timed(lambda: autoencoder.encode(samples))
    latents, optimization = timed(lambda: optimize(autoencoder, samples, code, steps))
    return {**inversions, "encoder_and_optimization": (latents, encoding + optimization)}


def optimize(autoencoder: Autoencoder, samples: Tensor, start: Tensor, steps: int) -> Tensor:
    """Minimizes |x - G(z)|^2 by `steps` steps of Adam from the latents `start` (N, latent_dim).

    Samples do not affect each other. The learning rate decays to 0 as half a cosine. Latents of a
    uniform prior are clamped to its cube.
    """
    device, latents = autoencoder.model.runtime.device, []
    for batch, begin in zip(samples.split(BATCH), start.split(BATCH), strict=True):
        real = autoencoder.to_model(batch.to(device))
        latent = begin.to(device, copy=True).requires_grad_()
        optimizer = torch.optim.Adam([latent])
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
            error = (autoencoder.generator(latent) - real).square().flatten(1).mean(1)  # (N,)
            (latent.grad,) = torch.autograd.grad(error.sum(), latent)
            optimizer.step()
            if autoencoder.generator.prior == "uniform":
                latent.data.clamp_(-1, 1)
        latents.append(latent.detach().cpu())
    return torch.cat(latents)


def timed(function: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Returns the result of a function, and the seconds that it took."""
    began = time.perf_counter()
    return function(), time.perf_counter() - began


def write_picture(file: Path, columns: list[Tensor]) -> str:
    """Writes each image next to its reconstructions, in the order of the report."""
    tiles = torch.stack(columns, 1)  # (N, methods + 1, C, H, W)
    across = tiles.shape[1] * math.ceil(math.sqrt(len(tiles) / tiles.shape[1]))
    save_png(file, grid(tiles.flatten(0, 1), across))
    return str(file)
