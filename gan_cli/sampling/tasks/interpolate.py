"""task=interpolate: interpolation between the latents of given images."""

from itertools import pairwise

import torch

from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png

FRAMES = 8  # default number of frames between two images
SHOWN = 8  # default number of images


@task(
    "interpolate",
    needs=["model", "encoder", "inputs", "shows"],
    keys=["input", "dataset", "count", "interpolate"],
)
def interpolate(job: Job) -> list[str]:
    """Writes strip.png: in each row an image, the interpolation to the next one, and that one."""
    autoencoder = job.autoencoder
    samples = job.inputs.samples if job.options.count else job.inputs.samples[:SHOWN]
    if len(samples) < 2:
        raise ConfigError("input: holds one image; interpolation needs two or more")
    if not autoencoder.has_picture:
        kind = autoencoder.field.kind
        raise ConfigError(f"task: interpolation shows images, and the model makes {kind}")
    latents = autoencoder.encode(samples)
    between = job.options.interpolate or FRAMES
    rows = []
    for i, j in pairwise(range(len(samples))):
        path = job.model.walk(latents[[i, j]], between)  # (between + 2, latent_dim)
        frames = autoencoder.kind.to_stored(autoencoder.generate(path))
        rows += [samples[[i]], frames, samples[[j]]]
    save_png(job.folder / "strip.png", grid(torch.cat(rows), between + 4))
    return [str(job.folder / "strip.png")]
