"""task=evaluate: how well an encoder and a generator invert each other, and what features hold."""

import json

from torch import Tensor

from gan_cli.data.sets import datasets
from gan_cli.games.request import Request
from gan_cli.networks.layers.latent import seeded_latent
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.probes import knowledge
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError


@task("evaluate", needs=["model", "encoder", "inputs"], keys=["input", "dataset", "count"])
def evaluate(job: Job) -> list[str]:
    """evaluation.json. Give samples that were not trained on."""
    inputs = job.inputs
    trained = datasets.build(job.model.checkpoint.dataset, where="dataset")
    if trained.fingerprint() == inputs.dataset.fingerprint():
        raise ConfigError(
            "dataset: is what the model was trained on; type dataset.split=test, if it has one, or "
            "input=FOLDER with images that were held out"
        )
    values = consistency(job.autoencoder, inputs.samples)
    if inputs.labels is not None and trained.labels() is not None:
        values |= knowledge(job.autoencoder, inputs, trained)
    (job.folder / "evaluation.json").write_text(json.dumps(values, indent=2) + "\n")
    lines = [f"{name}: {value:.4f}" for name, value in values.items()]
    return [*lines, str(job.folder / "evaluation.json")]


def consistency(autoencoder: Autoencoder, samples: Tensor) -> dict[str, float]:
    """From data to latents and back, and the other way round, with as many latents as samples.

    An encoder that knows nothing of z has a latent error of 1 (of 1/3 under a uniform prior) by
    answering with its mean.
    """
    real = autoencoder.to_model(samples)
    found = autoencoder.reconstruct(samples)
    latent = seeded_latent(autoencoder.generator, Request(range(len(samples))).noise)
    back = autoencoder.through(lambda z: autoencoder.encoder(autoencoder.generator(z)), latent)
    return {
        "reconstruction_l1": (real - found).abs().mean().item(),
        "reconstruction_mse": (real - found).square().mean().item(),
        "mean_image_mse": (real - real.mean(0)).square().mean().item(),  # the best constant answer
        "latent_mse": (latent - back).square().mean().item(),
    }
