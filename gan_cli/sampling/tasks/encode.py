"""task=encode: the latents of given samples."""

from gan_cli.sampling.arrays import labels_of, write_npz
from gan_cli.sampling.task import Job, task


@task("encode", needs=["model", "encoder", "inputs"], keys=["input", "dataset", "count", "space"])
def encode(job: Job) -> list[str]:
    """Writes latents.npz: latents (N, latent_dim) float32, names (N,), and labels (N,) if any."""
    latents = job.autoencoder.encode(job.inputs.samples).numpy()
    return [write_npz(job.folder / "latents.npz", {"latents": latents, **labels_of(job.inputs)})]
