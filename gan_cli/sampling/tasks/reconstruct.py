"""Given images through encoder and generator: reconstructions, codes, ways from one to the next."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.feeds.decode import decode
from gan_cli.sampling.exports import channels_last
from gan_cli.sampling.request import SampleConfig
from gan_cli.sampling.tasks.autoencoder import Subject
from gan_cli.sampling.tasks.inputs import Inputs
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png, to_uint8

FRAMES = 8  # between two images, unless interpolate says otherwise


def reconstruct(
    subject: Subject,
    inputs: Inputs,
    folder: Path,
    config: SampleConfig,  # noqa: ARG001
) -> list[str]:
    """reconstructions.png, each image with its own to the right, and reconstructions.npz."""
    found = subject.reconstruct(inputs.samples)
    error = per_sample_error(inputs.samples, found)
    lines = [f"mean absolute error: {error.mean():.4f} (of values from -1 to 1)"]
    arrays = {"error": error.numpy(), **labels_of(inputs)}
    if found.ndim == 4:
        shown = to_uint8(found)
        pairs = torch.stack((inputs.samples, shown), 1).flatten(0, 1)  # (2 N, C, H, W)
        columns = 2 * math.ceil(math.sqrt(len(inputs) / 2))
        save_png(folder / "reconstructions.png", grid(pairs, columns))
        lines.append(str(folder / "reconstructions.png"))
        arrays |= {"images": channels_last(shown)}
    else:
        arrays |= {"samples": found.numpy()}
    return [*lines, write(folder / "reconstructions.npz", arrays)]


def encode(
    subject: Subject,
    inputs: Inputs,
    folder: Path,
    config: SampleConfig,  # noqa: ARG001
) -> list[str]:
    """latents.npz: latents (N, latent_dim) float32, names (N,), and labels (N,) if any."""
    arrays = {"latents": subject.encode(inputs.samples).numpy(), **labels_of(inputs)}
    return [write(folder / "latents.npz", arrays)]


def interpolate(subject: Subject, inputs: Inputs, folder: Path, config: SampleConfig) -> list[str]:
    """strip.png, a row for each pair of neighbours: image, its code to that of the next, image."""
    if len(inputs) < 2:
        raise ConfigError("input: holds one image; to interpolate give two or more")
    if inputs.samples.ndim != 4:
        raise ConfigError("task: interpolation shows images, and the model is for vectors")
    latents = subject.encode(inputs.samples)
    between = config.interpolate or FRAMES
    rows = []
    for i, j in pairwise(range(len(inputs))):
        way = subject.sampler.walk(latents[[i, j]], between)  # (between + 2, latent_dim)
        ends = inputs.samples[[i]], inputs.samples[[j]]
        rows += [ends[0], to_uint8(subject.generate(way)), ends[1]]
    save_png(folder / "strip.png", grid(torch.cat(rows), between + 4))
    return [str(folder / "strip.png")]


def per_sample_error(samples: Tensor, found: Tensor) -> Tensor:
    """Mean absolute difference in [-1, 1], (N,)."""
    real = decode({"real": samples}, None)["real"]
    return (real - found).abs().flatten(1).mean(1)


def labels_of(inputs: Inputs) -> dict[str, np.ndarray]:
    labels = {} if inputs.labels is None else {"labels": inputs.labels.numpy()}
    return {"names": np.array(inputs.names), **labels}


def write(file: Path, arrays: dict[str, np.ndarray]) -> str:
    np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub has allow_pickle
    return str(file)
