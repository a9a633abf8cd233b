"""task=invert: latents of given samples by optimization, by an encoder, and by both.

Zhu et al. 2016 (arXiv:1609.03552), Section 3.1: minimize |x - G(z)|^2 from a random latent, use an
encoder, or minimize from the encoder's latent. Styles are found in the same ways.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor

from gan_cli.metrics.distances import distances
from gan_cli.networks.layers.latent import HasStyles, Space
from gan_cli.sampling.arrays import labels_of, write_npz
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.model import class_number
from gan_cli.sampling.optimize import Found, Search, spread_of
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.strict_json import write_json

STEPS = 300
T = TypeVar("T")


@dataclass(frozen=True)
class Inversion:
    """What a method has found for N samples."""

    points: Tensor  # latents (N, D) or styles
    noise: Tensor | None  # of the layers, (N, noise_size), if it was searched for
    rebuilt: Tensor  # samples of the points, in model form
    squares: Tensor  # (N,), mean squares of the points, in standard deviations
    seconds: float


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
        "noise_maps",
        "label",
        "pull",
        "steps",
        "batch_size",
    ],
)
def invert(job: Job) -> list[str]:
    """Writes inversions.npz with latents or styles, inversions.json, and inversions.png."""
    samples, autoencoder = job.inputs.samples, job.autoencoder
    inversions = invert_classes(job, samples)
    real = autoencoder.to_model(samples)
    values = {
        name: {
            "mse": (found.rebuilt - real).square().mean().item(),
            "latent_mean_square": found.squares.mean().item(),
            "seconds_per_image": found.seconds / len(samples),
        }
        for name, found in inversions.items()
    }
    arrays = {name: found.points.numpy() for name, found in inversions.items()}
    arrays |= {f"{n}_noise": x.noise.numpy() for n, x in inversions.items() if x.noise is not None}
    files = [str(write_json(job.folder / "inversions.json", values))]
    npz = job.folder / "inversions.npz"
    files.append(write_npz(npz, {**arrays, **labels_of(job.inputs)}))
    if autoencoder.has_picture:
        stored = (autoencoder.kind.to_stored(found.rebuilt) for found in inversions.values())
        files.append(write_picture(job.folder / "inversions.png", [samples, *stored]))
    lines = (
        f"{name}: squared error {v['mse']:.4f}, mean square of the latent "
        f"{v['latent_mean_square']:.2f}, {1000 * v['seconds_per_image']:.3g} ms an image"
        for name, v in values.items()
    )
    return [f"space={space_of(job)}", *lines, *files]


def invert_classes(job: Job, samples: Tensor) -> dict[str, Inversion]:
    """Inverts samples by each method, class by class if the generator takes labels."""
    labels = given_labels(job)
    if labels is None:
        return invert_by_all(search_of(job), samples)
    order, parts = [], []
    for label in labels.unique().tolist():
        index = (labels == label).nonzero().flatten()
        order.append(index)
        parts.append(invert_by_all(search_of(job, label), samples[index]))
    back = torch.cat(order).argsort()
    return {name: joined([part[name] for part in parts], back) for name in parts[0]}


def joined(parts: list[Inversion], order: Tensor) -> Inversion:
    """Returns the inversions of several classes, whose samples are brought into an order."""
    noise = [part.noise for part in parts if part.noise is not None]
    return Inversion(
        torch.cat([part.points for part in parts])[order],
        torch.cat(noise)[order] if noise else None,
        torch.cat([part.rebuilt for part in parts])[order],
        torch.cat([part.squares for part in parts])[order],
        sum(part.seconds for part in parts),
    )


def given_labels(job: Job) -> Tensor | None:
    """Returns the class of each sample, if the generator takes classes: typed, or of the inputs."""
    model, inputs, wanted = job.model, job.inputs, job.options.labels
    if not model.game.labelled or wanted is not None:
        return model.labels(wanted, range(len(inputs)))
    if inputs.labels is None:
        raise ConfigError(
            "label: the generator takes the class of each image; type label=NAME, or give a folder "
            "with a sub-folder for each class, or a labelled data set"
        )
    names = inputs.dataset.spec.class_names
    classes = [names[k] if names else k for k in inputs.labels.tolist()]
    return torch.tensor([class_number(name, model.spec) for name in classes])


def space_of(job: Job) -> Literal["z", "w", "wplus"]:
    """Returns the space that is asked for; styles, if there are any."""
    styled = isinstance(job.autoencoder.generator, HasStyles)
    return job.options.space or ("w" if styled else "z")


def search_of(job: Job, label: int | None = None) -> Search:
    """Returns the optimization that the options describe, of samples of one class if need be."""
    options, autoencoder, space = job.options, job.autoencoder, space_of(job)
    codes: Space = "z" if space == "z" else "w"
    if label is not None or (options.space is None and autoencoder.space != codes):
        autoencoder = Autoencoder(job.model, options.task, codes, label)
    if options.noise_maps and not (space != "z" and hasattr(autoencoder.generator, "noise_sizes")):
        raise ConfigError(
            "noise_maps: are found with styles, as of model=stylegan2 and space=w or wplus; leave "
            "it out"
        )
    device = job.model.runtime.device
    distance = distances.build(options.distance, autoencoder.field, device, where="distance")
    return Search(
        autoencoder,
        space,
        spread_of(autoencoder, space),
        distance,
        options.steps or STEPS,
        options.candidates,
        options.pull,
        options.batch_size,
        options.noise_maps,
    )


def invert_by_all(search: Search, samples: Tensor) -> dict[str, Inversion]:
    """Inverts samples by each method."""
    autoencoder = search.autoencoder

    def inversion(found: Found, seconds: float) -> Inversion:
        rebuilt = autoencoder.generate(found.points, found.noise)
        squares = search.spread.squares(found.points)
        return Inversion(found.points, found.noise, rebuilt, squares, seconds)

    found, seconds = timed(lambda: search.run(samples, search.start(samples)))
    inversions = {"optimization": inversion(found, seconds)}
    if autoencoder.encoder is None:
        return inversions
    code, encoding = timed(lambda: autoencoder.encode(samples))
    inversions["encoder"] = inversion(Found(code), encoding)
    found, seconds = timed(lambda: search.run(samples, search.points(code)))
    inversions["encoder_and_optimization"] = inversion(found, encoding + seconds)
    return inversions


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """Returns the result of a function, and the seconds that it took."""
    began = time.perf_counter()
    return function(), time.perf_counter() - began


def write_picture(file: Path, columns: list[Tensor]) -> str:
    """Writes each image next to its reconstructions, in the order of the report."""
    tiles = torch.stack(columns, 1)  # (N, methods + 1, C, H, W)
    across = tiles.shape[1] * math.ceil(math.sqrt(len(tiles) / tiles.shape[1]))
    save_png(file, grid(tiles.flatten(0, 1), across))
    return str(file)
