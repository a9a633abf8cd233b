"""Latents of given images by optimization, beside an encoder's, and on top of them.

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

from gan_cli.data.feeds.decode import decode
from gan_cli.networks.layers.latent import draw_latent
from gan_cli.sampling.request import SampleConfig
from gan_cli.sampling.tasks.autoencoder import BATCH, Subject
from gan_cli.sampling.tasks.inputs import Inputs
from gan_cli.sampling.tasks.reconstruct import labels_of, write
from gan_cli.utils.images import grid, save_png, to_uint8

STEPS = 300
RATE = 0.1  # Adam's at the start, as of StyleGAN2's projector (arXiv:1912.04958, Appendix D)
Answers = dict[str, tuple[Tensor, float]]  # way -> latents (N, latent_dim), seconds


def invert(subject: Subject, inputs: Inputs, folder: Path, config: SampleConfig) -> list[str]:
    """inversions.png, inversions.npz with the latents of each way, and inversions.json."""
    samples = inputs.samples
    answers = ways(subject, samples, config.steps or STEPS)
    found = {name: subject.generate(latents) for name, (latents, _) in answers.items()}
    real = decode({"real": samples}, None)["real"]
    values = {
        name: {
            "mse": (found[name] - real).square().mean().item(),
            "latent_mean_square": latents.square().mean().item(),
            "seconds_per_image": seconds / len(samples),
        }
        for name, (latents, seconds) in answers.items()
    }
    (folder / "inversions.json").write_text(json.dumps(values, indent=2) + "\n")
    arrays = {name: latents.numpy() for name, (latents, _) in answers.items()}
    files = [str(folder / "inversions.json")]
    files.append(write(folder / "inversions.npz", {**arrays, **labels_of(inputs)}))
    if real.ndim == 4:
        files.append(draw(folder / "inversions.png", samples, list(found.values())))
    told = (
        f"{name}: squared error {v['mse']:.4f}, mean square of the latent "
        f"{v['latent_mean_square']:.2f}, {1000 * v['seconds_per_image']:.3g} ms an image"
        for name, v in values.items()
    )
    return [*told, *files]


def ways(subject: Subject, samples: Tensor, steps: int) -> Answers:
    """Random starts come from seed 0."""
    rng = torch.Generator().manual_seed(0)
    random = draw_latent(subject.generator, len(samples), torch.device("cpu"), rng)
    answers = {"optimization": timed(lambda: descend(subject, samples, random, steps))}
    if subject.encoder is None:
        return answers
    code, quick = answers["encoder"] = timed(lambda: subject.encode(samples))
    latents, slow = timed(lambda: descend(subject, samples, code, steps))
    return {**answers, "encoder_and_optimization": (latents, quick + slow)}


def descend(subject: Subject, samples: Tensor, start: Tensor, steps: int) -> Tensor:
    """`steps` of Adam from the latents `start` (N, latent_dim), each image on its own.

    Its rate falls to 0 along half a cosine. A uniform prior's latents stay in its cube.
    """
    device, found = subject.sampler.runtime.device, []
    for batch, begin in zip(samples.split(BATCH), start.split(BATCH), strict=True):
        real = decode({"real": batch.to(device)}, None)["real"]
        latent = begin.to(device, copy=True).requires_grad_()
        optimizer = torch.optim.Adam([latent])
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
            error = (subject.generator(latent) - real).square().flatten(1).mean(1)  # (N,)
            (latent.grad,) = torch.autograd.grad(error.sum(), latent)
            optimizer.step()
            if subject.generator.prior == "uniform":
                latent.data.clamp_(-1, 1)
        found.append(latent.detach().cpu())
    return torch.cat(found)


def timed(answer: Callable[[], Tensor]) -> tuple[Tensor, float]:
    began = time.perf_counter()
    return answer(), time.perf_counter() - began


def draw(file: Path, samples: Tensor, found: list[Tensor]) -> str:
    """Each image, and to its right what each way made of it, in the order of the report."""
    shown = torch.stack([samples, *map(to_uint8, found)], 1)  # (N, ways + 1, C, H, W)
    columns = shown.shape[1] * math.ceil(math.sqrt(len(shown) / shown.shape[1]))
    save_png(file, grid(shown.flatten(0, 1), columns))
    return str(file)
