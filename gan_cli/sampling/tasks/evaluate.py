"""task=evaluate: reconstruction errors of encoder and generator, and accuracy of features."""

from torch import Tensor

from gan_cli.checkpoints.trust import check_own
from gan_cli.data.sets import datasets
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.probes import feature_accuracies
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.strict_json import write_json


@task("evaluate", needs=["model", "encoder", "inputs"], keys=["input", "dataset", "count"])
def evaluate(job: Job) -> list[str]:
    """Writes evaluation.json; the samples must not be those of the training."""
    inputs, checkpoint = job.inputs, job.model.checkpoint
    check_own(checkpoint, job.run, "task", "run=NAME of a run there, with task=evaluate")
    trained = datasets.build(checkpoint.dataset, where="dataset")
    if trained.fingerprint() == inputs.dataset.fingerprint():
        raise ConfigError(
            "dataset: is what the model was trained on; type dataset.split=test, if it has one, or "
            "input=FOLDER with held-out images"
        )
    values = inversion_errors(job.autoencoder, inputs.samples)
    if inputs.labels is not None and trained.labels() is not None:
        values |= feature_accuracies(job.autoencoder, inputs, trained)
    lines = [f"{name}: {value:.4f}" for name, value in values.items()]
    return [*lines, str(write_json(job.folder / "evaluation.json", values))]


def inversion_errors(autoencoder: Autoencoder, samples: Tensor) -> dict[str, float]:
    """Returns errors of G(E(x)) for samples x, and of E(G(z)) for as many latents or styles z.

    An encoder that returns the mean of the prior has a latent error equal to its variance: 1 for a
    normal prior, 1/3 for a uniform one.
    """
    real = autoencoder.to_model(samples)
    rebuilt = autoencoder.reconstruct(samples)
    latent = autoencoder.drawn(len(samples))
    encoded = autoencoder.apply(lambda z: autoencoder.code(autoencoder.decode(z)), latent)
    return {
        "reconstruction_l1": (real - rebuilt).abs().mean().item(),
        "reconstruction_mse": (real - rebuilt).square().mean().item(),
        "mean_image_mse": (real - real.mean(0)).square().mean().item(),  # of the best constant
        "latent_mse": (latent - encoded).square().mean().item(),
    }
