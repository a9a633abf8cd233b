"""task=invert: latents of given samples by optimization, beside an encoder's, and from them on.

Zhu et al. 2016 (arXiv:1609.03552), Section 3.1: descend |x - G(z)|^2 from a random latent, answer
with an encoder, or descend from its answer.
"""

import json
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

STEPS = 300
RATE = 0.1  # Adam's at the start, as of StyleGAN2's projector (arXiv:1912.04958, Appendix D)
Answers = dict[str, tuple[Tensor, float]]  # way -> latents (N, latent_dim), seconds


@task(
    "invert",
    needs=["model", "latent", "inputs", "shows"],
    keys=["input", "dataset", "count", "steps"],
)
def invert(job: Job) -> list[str]:
    """inversions.npz with the latents of each way, inversions.json, and of images a picture."""
    autoencoder, samples = job.autoencoder, job.inputs.samples
    answers = ways(autoencoder, samples, job.options.steps or STEPS)
    found = {name: autoencoder.generate(latents) for name, (latents, _) in answers.items()}
    real = autoencoder.to_model(samples)
    values = {
        name: {
            "mse": (found[name] - real).square().mean().item(),
            "latent_mean_square": latents.square().mean().item(),
            "seconds_per_image": seconds / len(samples),
        }
        for name, (latents, seconds) in answers.items()
    }
    (job.folder / "inversions.json").write_text(json.dumps(values, indent=2) + "\n")
    arrays = {name: latents.numpy() for name, (latents, _) in answers.items()}
    files = [str(job.folder / "inversions.json")]
    npz = job.folder / "inversions.npz"
    files.append(write_npz(npz, {**arrays, **labels_of(job.inputs)}))
    if autoencoder.pictured:
        shown = [samples, *map(autoencoder.kind.to_stored, found.values())]
        files.append(draw(job.folder / "inversions.png", shown))
    lines = (
        f"{name}: squared error {v['mse']:.4f}, mean square of the latent "
        f"{v['latent_mean_square']:.2f}, {1000 * v['seconds_per_image']:.3g} ms an image"
        for name, v in values.items()
    )
    return [*lines, *files]


def ways(autoencoder: Autoencoder, samples: Tensor, steps: int) -> Answers:
    """The random start of sample i has seed i."""
    noise = Request(range(len(samples))).noise
    random = seeded_latent(autoencoder.generator, noise)
    answers = {"optimization": timed(lambda: descend(autoencoder, samples, random, steps))}
    if autoencoder.encoder is None:
        return answers
    code, quick = answers["encoder"] = timed(lambda: autoencoder.encode(samples))
    latents, slow = timed(lambda: descend(autoencoder, samples, code, steps))
    return {**answers, "encoder_and_optimization": (latents, quick + slow)}


def descend(autoencoder: Autoencoder, samples: Tensor, start: Tensor, steps: int) -> Tensor:
    """`steps` of Adam from the latents `start` (N, latent_dim), each image on its own.

    Its rate falls to 0 along half a cosine. A uniform prior's latents stay in its cube.
    """
    device, found = autoencoder.model.runtime.device, []
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
        found.append(latent.detach().cpu())
    return torch.cat(found)


def timed(answer: Callable[[], Tensor]) -> tuple[Tensor, float]:
    began = time.perf_counter()
    return answer(), time.perf_counter() - began


def draw(file: Path, columns: list[Tensor]) -> str:
    """Each image, and to its right what each way made of it, in the order of the report."""
    shown = torch.stack(columns, 1)  # (N, ways + 1, C, H, W)
    across = shown.shape[1] * math.ceil(math.sqrt(len(shown) / shown.shape[1]))
    save_png(file, grid(shown.flatten(0, 1), across))
    return str(file)
