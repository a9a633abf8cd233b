"""How well an encoder and a generator invert each other, and what the encoder's features know."""

import json
from pathlib import Path

import torch
from torch import Tensor

from gan_cli.data.feeds.decode import decode
from gan_cli.data.sets import datasets
from gan_cli.networks.layers.latent import draw_latent
from gan_cli.sampling.request import SampleConfig
from gan_cli.sampling.tasks.autoencoder import Subject
from gan_cli.sampling.tasks.inputs import Inputs
from gan_cli.sampling.tasks.probes import knowledge
from gan_cli.utils.errors import ConfigError


def evaluate(
    subject: Subject,
    inputs: Inputs,
    folder: Path,
    config: SampleConfig,  # noqa: ARG001
) -> list[str]:
    """evaluation.json. Give images that were not trained on."""
    trained = datasets.build(subject.state["config"]["dataset"], where="dataset")
    if trained.fingerprint() == inputs.dataset.fingerprint():
        raise ConfigError(
            "dataset: is what the model was trained on; type dataset.split=test, if it has one, or "
            "input=FOLDER with images that were held out"
        )
    values = consistency(subject, inputs.samples)
    if inputs.labels is not None and trained.labels() is not None:
        values |= knowledge(subject, inputs, trained)
    (folder / "evaluation.json").write_text(json.dumps(values, indent=2) + "\n")
    lines = [f"{name}: {value:.4f}" for name, value in values.items()]
    return [*lines, str(folder / "evaluation.json")]


def consistency(subject: Subject, samples: Tensor) -> dict[str, float]:
    """From data to latents and back, and the other way round, with as many latents as samples.

    An encoder that knows nothing of z has a latent error of 1 (of 1/3 under a uniform prior) by
    answering with its mean.
    """
    real = decode({"real": samples}, None)["real"]
    found = subject.reconstruct(samples)
    rng = torch.Generator().manual_seed(0)
    latent = draw_latent(subject.generator, len(samples), torch.device("cpu"), rng)
    back = subject.through(lambda z: subject.encoder(subject.generator(z)), latent)
    return {
        "reconstruction_l1": (real - found).abs().mean().item(),
        "reconstruction_mse": (real - found).square().mean().item(),
        "mean_image_mse": (real - real.mean(0)).square().mean().item(),  # the best constant answer
        "latent_mse": (latent - back).square().mean().item(),
    }
