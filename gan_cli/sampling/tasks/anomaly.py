"""task=anomaly: anomaly scores of images from their reconstructions G(E(x))."""

import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.inputs import Inputs
from gan_cli.sampling.model import class_number
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.files import write_text
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.lists import several

ALPHA = 0.9  # weight of the reconstruction in EGBAD's score: Zenati et al. 2018, Section 4
LEFT_OUT = (
    "The scores of the discriminator are left out: its answer to a sample depends on the others in "
    "its batch, as with packing or minibatch layers."
)
SHOWN = 10  # images per row of residuals.png


@task(
    "anomaly",
    needs=["model", "encoder", "inputs"],
    keys=["input", "dataset", "count", "anomalous"],
)
def anomaly(job: Job) -> list[str]:
    """Writes anomaly.csv, and residuals.png for images; `anomalous` adds the AUROC of scores."""
    inputs, autoencoder = job.inputs, job.autoencoder
    anomalous = is_anomalous(inputs, job.options)
    rebuilt = autoencoder.reconstruct(inputs.samples)
    scores = anomaly_scores(autoencoder, inputs.samples, rebuilt)
    *_, last = scores.values()
    lines = [write_scores(job.folder / "anomaly.csv", inputs, scores, anomalous)]
    if autoencoder.has_picture:
        stored = autoencoder.kind.to_stored(rebuilt)
        save_png(job.folder / "residuals.png", residuals(inputs.samples, stored, last))
        lines.append(str(job.folder / "residuals.png"))
    if "discriminator" in autoencoder.model.checkpoint.roles and "discriminator" not in scores:
        lines.append(LEFT_OUT)
    if anomalous is not None:
        areas = (f"{name} {auroc(score, anomalous):.4f}" for name, score in scores.items())
        lines.insert(0, f"AUROC of {int(anomalous.sum())} anomalies: {', '.join(areas)}")
    return lines


def anomaly_scores(autoencoder: Autoencoder, samples: Tensor, rebuilt: Tensor) -> dict[str, Tensor]:
    """Returns scores (N,) by name; the last one orders the outputs.

    unexplained: the squared error of G(E(x)) divided by the variance of x, which does not grow
    with the ink of a digit. reconstruction: the L1 distance of x and G(E(x)). With a discriminator
    also features: the L1 distance of its features, and discriminator: the negated logit of x. They
    are left out if they would depend on the other samples.

    A discriminator of pairs gets E(x), too, and the two distances give egbad: EGBAD, Zenati et al.
    2018 (arXiv:1802.06222), Section 3. Otherwise the two mean squares give f_anogan: f-AnoGAN,
    Schlegl et al. 2019, Equation 5.
    """
    real = autoencoder.to_model(samples).flatten(1)
    error = real - rebuilt.flatten(1)  # (N, D)
    unexplained = error.square().mean(1) / real.var(1, correction=0).clamp(min=1e-6)
    scores = {"unexplained": unexplained, "reconstruction": error.abs().sum(1)}
    critic = autoencoder.discriminator()
    if critic is None:
        return scores
    takes_pairs = hasattr(critic, "latent_dim")

    def feature_error(x: Tensor) -> Tensor:
        latent = autoencoder.code(x)
        second = latent if takes_pairs else None
        real, fake = (critic.features(y.float(), second) for y in (x, autoencoder.decode(latent)))
        return (real - fake).flatten(1)

    def negated_logit(x: Tensor) -> Tensor:
        return -critic(x.float(), autoencoder.code(x) if takes_pairs else None)

    if any(mixes_batch(autoencoder, f, samples) for f in (feature_error, negated_logit)):
        return scores
    feature = autoencoder.apply_to_samples(feature_error, samples)  # (N, F)
    scores["features"] = feature.abs().sum(1)
    scores["discriminator"] = autoencoder.apply_to_samples(negated_logit, samples)
    if takes_pairs:
        scores["egbad"] = ALPHA * scores["reconstruction"] + (1 - ALPHA) * scores["features"]
    else:
        scores["f_anogan"] = error.square().mean(1) + feature.square().mean(1)
    return scores


def mixes_batch(
    autoencoder: Autoencoder, function: Callable[[Tensor], Tensor], samples: Tensor
) -> bool:
    """Returns whether the value of a sample depends on the others in its batch."""
    first = autoencoder.to_model(samples[:1])
    companies = (first, torch.zeros_like(first))
    batches = (torch.cat([first, company, company]) for company in companies)
    left, right = (autoencoder.apply(function, batch)[0] for batch in batches)
    return not torch.allclose(left, right, rtol=1e-4, atol=1e-6)


def is_anomalous(inputs: Inputs, options: SampleOptions) -> Tensor | None:
    """Returns which inputs are anomalous (N,) bool; None if options.anomalous is not set."""
    if options.anomalous is None:
        return None
    if inputs.labels is None:
        raise ConfigError(
            "anomalous: names classes, and the images have none; give a folder with a sub-folder "
            "for each class, or a labelled data set"
        )
    spec = inputs.dataset.spec
    classes = [class_number(label, spec) for label in several(options.anomalous)]
    anomalous = torch.isin(inputs.labels, torch.tensor(classes))
    if anomalous.all() or not anomalous.any():
        raise ConfigError("anomalous: needs images of these classes, and of others")
    return anomalous


def auroc(score: Tensor, anomalous: Tensor) -> float:
    """Area under the ROC: P(an anomaly scores above a normal image), ties counting half."""
    from sklearn.metrics import roc_auc_score  # takes 1 s

    return float(roc_auc_score(anomalous.numpy(), score.double().numpy()))


def residuals(samples: Tensor, rebuilt: Tensor, score: Tensor) -> np.ndarray:
    """Returns a picture with rows of images, reconstructions and absolute differences.

    The least anomalous images are above the most anomalous ones. `samples` and `rebuilt` are uint8
    (N, C, H, W).
    """
    order = score.argsort()
    blocks = []
    for picked in (order[:SHOWN], order[-SHOWN:].flip(0)):
        real, fake = samples[picked], rebuilt[picked]
        blocks += [real, fake, (real.int() - fake.int()).abs().to(torch.uint8)]
    return grid(torch.cat(blocks), len(order[:SHOWN]))


def write_scores(
    file: Path, inputs: Inputs, scores: dict[str, Tensor], anomalous: Tensor | None
) -> str:
    """Writes a CSV file with a row for each image, the most anomalous first."""
    columns: dict[str, list[Any]] = {"name": inputs.names}
    if inputs.label_names is not None:
        columns["label"] = inputs.label_names
    if anomalous is not None:
        columns["anomalous"] = anomalous.int().tolist()
    columns |= {name: [f"{x:.6g}" for x in score.tolist()] for name, score in scores.items()}
    *_, last = scores.values()
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for i in last.argsort(descending=True).tolist():
        writer.writerow([column[i] for column in columns.values()])
    return str(write_text(file, text.getvalue()))
