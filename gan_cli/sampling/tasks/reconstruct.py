"""task=reconstruct: each given sample beside G(E(x))."""

import math

import torch
from torch import Tensor

from gan_cli.sampling.arrays import labels_of, write_npz
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.task import Job, task
from gan_cli.utils.images import grid, save_png


@task(
    "reconstruct", needs=["model", "encoder", "inputs", "shows"], keys=["input", "dataset", "count"]
)
def reconstruct(job: Job) -> list[str]:
    """reconstructions.npz, and of images reconstructions.png, each with its own to the right."""
    inputs, autoencoder = job.inputs, job.autoencoder
    found = autoencoder.reconstruct(inputs.samples)
    error = per_sample_error(autoencoder, inputs.samples, found)
    lines = [f"mean absolute error: {error.mean():.4f} (in model form; images are in [-1, 1])"]
    stored, kind = autoencoder.kind.to_stored(found), autoencoder.kind
    if autoencoder.pictured:
        pairs = torch.stack((inputs.samples, stored), 1).flatten(0, 1)  # (2 N, C, H, W)
        columns = 2 * math.ceil(math.sqrt(len(inputs) / 2))
        save_png(job.folder / "reconstructions.png", grid(pairs, columns))
        lines.append(str(job.folder / "reconstructions.png"))
    arrays = {"error": error.numpy(), **labels_of(inputs), kind.array_name(): kind.to_array(stored)}
    return [*lines, write_npz(job.folder / "reconstructions.npz", arrays)]


def per_sample_error(autoencoder: Autoencoder, samples: Tensor, found: Tensor) -> Tensor:
    """Mean absolute difference in model form, (N,)."""
    return (autoencoder.to_model(samples) - found).abs().flatten(1).mean(1)
