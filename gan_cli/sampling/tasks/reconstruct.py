"""task=reconstruct: given samples x and their reconstructions G(E(x))."""

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
    """Writes reconstructions.npz, and pairs (x, G(E(x))) of images to reconstructions.png."""
    inputs, autoencoder = job.inputs, job.autoencoder
    rebuilt = autoencoder.reconstruct(inputs.samples)
    error = per_sample_error(autoencoder, inputs.samples, rebuilt)
    lines = [f"mean absolute error: {error.mean():.4f} (in model form; images are in [-1, 1])"]
    stored, kind = autoencoder.kind.to_stored(rebuilt), autoencoder.kind
    if autoencoder.has_picture:
        pairs = torch.stack((inputs.samples, stored), 1).flatten(0, 1)  # (2 N, C, H, W)
        columns = 2 * math.ceil(math.sqrt(len(inputs) / 2))
        save_png(job.folder / "reconstructions.png", grid(pairs, columns))
        lines.append(str(job.folder / "reconstructions.png"))
    arrays = {"error": error.numpy(), **labels_of(inputs), kind.array_name(): kind.to_array(stored)}
    return [*lines, write_npz(job.folder / "reconstructions.npz", arrays)]


def per_sample_error(autoencoder: Autoencoder, samples: Tensor, rebuilt: Tensor) -> Tensor:
    """Returns the mean absolute difference (N,) in model form."""
    return (autoencoder.to_model(samples) - rebuilt).abs().flatten(1).mean(1)
