"""task=invert: latents of given samples by optimization, by an encoder, and by both.

Zhu et al. 2016 (arXiv:1609.03552), Section 3.1: minimize |x - G(z)|^2 from a random latent, use an
encoder, or minimize from the encoder's latent. Styles are found in the same ways.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from gan_cli.metrics.distances import distances
from gan_cli.networks.layers.latent import HasStyles
from gan_cli.sampling.arrays import labels_of, write_npz
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.optimize import Search, spread_of
from gan_cli.sampling.task import Job, task
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.strict_json import write_json

STEPS = 300
Inversions = dict[str, tuple[Tensor, float]]  # method -> latents (N, D) or styles, seconds


@task(
    "invert",
    needs=["model", "latent", "inputs", "shows"],
    keys=[
        "input",
        "dataset",
        "count",
        "space",
        "distance",
        "candidates",
        "pull",
        "steps",
        "batch_size",
    ],
)
def invert(job: Job) -> list[str]:
    """Writes inversions.npz with latents or styles, inversions.json, and inversions.png."""
    samples, search = job.inputs.samples, search_of(job)
    autoencoder = search.autoencoder
    inversions = invert_by_all(search, samples)
    rebuilt = {name: autoencoder.generate(points) for name, (points, _) in inversions.items()}
    real = autoencoder.to_model(samples)
    values = {
        name: {
            "mse": (rebuilt[name] - real).square().mean().item(),
            "latent_mean_square": search.spread.squares(points).mean().item(),
            "seconds_per_image": seconds / len(samples),
        }
        for name, (points, seconds) in inversions.items()
    }
    arrays = {name: points.numpy() for name, (points, _) in inversions.items()}
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
    return [f"space={search.space}", *lines, *files]


def search_of(job: Job) -> Search:
    """Returns the optimization that the options describe; in W if there are styles."""
    options, autoencoder = job.options, job.autoencoder
    has_styles = isinstance(autoencoder.generator, HasStyles)
    space = options.space or ("w" if has_styles else "z")
    if options.space is None and autoencoder.space != space:
        autoencoder = Autoencoder(job.model, options.task, "w")
    device = job.model.runtime.device
    distance = distances.build(options.distance, autoencoder.field, device, where="distance")
    spread = spread_of(autoencoder, space)
    return Search(
        autoencoder,
        space,
        spread,
        distance,
        options.steps or STEPS,
        options.candidates,
        options.pull,
        options.batch_size,
    )


def invert_by_all(search: Search, samples: Tensor) -> Inversions:
    """Inverts samples by each method."""
    autoencoder = search.autoencoder
    inversions = {
        "optimization": timed(lambda: search.run(samples, search.start(samples))),
    }
    if autoencoder.encoder is None:
        return inversions
    code, encoding = inversions["encoder"] = timed(lambda: autoencoder.encode(samples))
    points, optimization = timed(lambda: search.run(samples, search.points(code)))
    return {**inversions, "encoder_and_optimization": (points, encoding + optimization)}


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
