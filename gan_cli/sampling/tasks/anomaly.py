"""How strange an image is to a model of normal ones: what G(E(x)) leaves of it unexplained."""

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.inputs import Inputs
from gan_cli.sampling.model import class_number
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.lists import several

ALPHA = 0.9  # of the reconstruction in EGBAD's score: Zenati et al. 2018, Section 4
SHOWN = 10  # images a row of the residuals


@task(
    "anomaly",
    needs=["model", "encoder", "inputs"],
    keys=["input", "dataset", "count", "anomalous"],
)
def anomaly(job: Job) -> list[str]:
    """anomaly.csv, of images residuals.png; with `anomalous` the area under each score's ROC."""
    inputs, autoencoder = job.inputs, job.autoencoder
    strange = is_anomalous(inputs, job.options)
    found = autoencoder.reconstruct(inputs.samples)
    scores = scores_of(autoencoder, inputs.samples, found)
    *_, last = scores.values()
    lines = [write_scores(job.folder / "anomaly.csv", inputs, scores, strange)]
    if autoencoder.pictured:
        stored = autoencoder.kind.to_stored(found)
        save_png(job.folder / "residuals.png", residuals(inputs.samples, stored, last))
        lines.append(str(job.folder / "residuals.png"))
    if strange is not None:
        areas = (f"{name} {auroc(score, strange):.4f}" for name, score in scores.items())
        lines.insert(0, f"AUROC of {int(strange.sum())} anomalies: {', '.join(areas)}")
    return lines


def scores_of(autoencoder: Autoencoder, samples: Tensor, found: Tensor) -> dict[str, Tensor]:
    """Each (N,), the last of them the one to go by.

    Of x and its G(E(x)) the share of the variance of x that is left unexplained, which does not
    grow with the ink of a digit, and the L1 distance. If there is a discriminator, the L1 distance
    of its features, and its logit of x with the sign turned. With one of pairs, whose features are
    of E(x), too, the two distances make the score of EGBAD, Zenati et al. 2018 (arXiv:1802.06222),
    Section 3; else their squares make that of f-AnoGAN, Schlegl et al. 2019, Equation 5.
    """
    real = autoencoder.to_model(samples).flatten(1)
    error = real - found.flatten(1)  # (N, D)
    unexplained = error.square().mean(1) / real.var(1, correction=0).clamp(min=1e-6)
    scores = {"unexplained": unexplained, "reconstruction": error.abs().sum(1)}
    critic = autoencoder.discriminator()
    if critic is None:
        return scores
    of_pairs = hasattr(critic, "latent_dim")

    def difference(x: Tensor) -> Tensor:
        latent = autoencoder.encoder(x)
        beside = latent if of_pairs else None
        real, fake = (
            critic.features(y.float(), beside) for y in (x, autoencoder.generator(latent))
        )
        return (real - fake).flatten(1)

    def doubt(x: Tensor) -> Tensor:
        return -critic(x.float(), autoencoder.encoder(x) if of_pairs else None)

    feature = autoencoder.of_samples(difference, samples)  # (N, F)
    scores["features"] = feature.abs().sum(1)
    scores["discriminator"] = autoencoder.of_samples(doubt, samples)
    if of_pairs:
        scores["egbad"] = ALPHA * scores["reconstruction"] + (1 - ALPHA) * scores["features"]
    else:
        scores["f_anogan"] = error.square().mean(1) + feature.square().mean(1)
    return scores


def is_anomalous(inputs: Inputs, options: SampleOptions) -> Tensor | None:
    """(N,) bool, if it is known."""
    if options.anomalous is None:
        return None
    if inputs.labels is None:
        raise ConfigError(
            "anomalous: names classes, and the images have none; give a folder with a sub-folder "
            "for each class, or a labelled data set"
        )
    spec = inputs.dataset.spec
    classes = [class_number(label, spec) for label in several(options.anomalous)]
    strange = torch.isin(inputs.labels, torch.tensor(classes))
    if strange.all() or not strange.any():
        raise ConfigError("anomalous: needs images of these classes, and of others")
    return strange


def auroc(score: Tensor, strange: Tensor) -> float:
    """Area under the ROC: P(an anomaly scores above a normal image), ties counting half."""
    from sklearn.metrics import roc_auc_score  # 1 s

    return float(roc_auc_score(strange.numpy(), score.double().numpy()))


def residuals(samples: Tensor, found: Tensor, score: Tensor) -> np.ndarray:
    """A sheet of image, reconstruction and difference in rows, the least anomalous above the most.

    `samples` and `found` are uint8 (N, C, H, W).
    """
    order = score.argsort()
    blocks = []
    for picked in (order[:SHOWN], order[-SHOWN:].flip(0)):
        real, shown = samples[picked], found[picked]
        blocks += [real, shown, (real.int() - shown.int()).abs().to(torch.uint8)]
    return grid(torch.cat(blocks), len(order[:SHOWN]))


def write_scores(
    file: Path, inputs: Inputs, scores: dict[str, Tensor], strange: Tensor | None
) -> str:
    """A row an image, the most anomalous first."""
    names = inputs.dataset.spec.class_names
    with open(file, "w", newline="") as handle:
        rows = csv.writer(handle)
        known = ["label"] if inputs.labels is not None else []
        told = ["anomalous"] if strange is not None else []
        rows.writerow(["name", *known, *told, *scores])
        *_, last = scores.values()
        for i in last.argsort(descending=True).tolist():
            label = [] if inputs.labels is None else [int(inputs.labels[i])]
            shown = [names[k] if names else k for k in label]
            truth = [] if strange is None else [int(strange[i])]
            values = [f"{score[i]:.6g}" for score in scores.values()]
            rows.writerow([inputs.names[i], *shown, *truth, *values])
    return str(file)
