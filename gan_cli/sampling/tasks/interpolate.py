"""task=interpolate: from each given image to the next, by way of their latents."""

from itertools import pairwise

import torch

from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png

FRAMES = 8  # between two images, unless interpolate says otherwise
SHOWN = 8  # images, unless count says otherwise


@task(
    "interpolate",
    needs=["model", "encoder", "inputs", "shows"],
    keys=["input", "dataset", "count", "interpolate"],
)
def interpolate(job: Job) -> list[str]:
    """strip.png, a row for each pair of neighbours: image, its code to that of the next, image."""
    autoencoder = job.autoencoder
    samples = job.inputs.samples if job.options.count else job.inputs.samples[:SHOWN]
    if len(samples) < 2:
        raise ConfigError("input: holds one image; to interpolate give two or more")
    if not autoencoder.pictured:
        kind = autoencoder.field.kind
        raise ConfigError(f"task: interpolation shows images, and the model makes {kind}")
    latents = autoencoder.encode(samples)
    between = job.options.interpolate or FRAMES
    rows = []
    for i, j in pairwise(range(len(samples))):
        way = job.model.walk(latents[[i, j]], between)  # (between + 2, latent_dim)
        frames = autoencoder.kind.to_stored(autoencoder.generate(way))
        rows += [samples[[i]], frames, samples[[j]]]
    save_png(job.folder / "strip.png", grid(torch.cat(rows), between + 4))
    return [str(job.folder / "strip.png")]
