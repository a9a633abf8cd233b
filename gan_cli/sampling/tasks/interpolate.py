"""task=interpolate: interpolation between the latents of given images."""

import torch

from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png

FRAMES = 8  # default number of frames between two images
SHOWN = 8  # default number of images


@task(
    "interpolate",
    needs=["model", "encoder", "inputs", "shows"],
    keys=["input", "dataset", "count", "interpolate", "space", "way", "loop"],
)
def interpolate(job: Job) -> list[str]:
    """Writes strip.png: in each row an image, the interpolation to the next one, and that one.

    With `loop`, the last row leads back to the first image.
    """
    autoencoder = job.autoencoder
    samples = job.inputs.samples if job.options.count else job.inputs.samples[:SHOWN]
    if len(samples) < 2:
        raise ConfigError("input: holds one image; interpolation needs two or more")
    if not autoencoder.has_picture:
        kind = autoencoder.field.kind
        raise ConfigError(f"task: interpolation shows images, and the model makes {kind}")
    between = job.options.interpolate or FRAMES
    latents = autoencoder.encode(samples)
    path = job.model.walk(latents, between, job.options.way, job.options.loop, autoencoder.space)
    ends = torch.cat([samples, samples[:1]]) if job.options.loop else samples
    rows = []
    for i in range(len(ends) - 1):
        start = i * (between + 1)
        made = autoencoder.generate(path[start : start + between + 2])
        rows += [ends[[i]], autoencoder.kind.to_stored(made), ends[[i + 1]]]
    save_png(job.folder / "strip.png", grid(torch.cat(rows), between + 4))
    return [str(job.folder / "strip.png")]
