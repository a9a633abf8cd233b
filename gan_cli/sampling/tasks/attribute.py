"""task=attribute: the difference between two classes as a direction in latent space."""

import torch
from torch import Tensor

from gan_cli.sampling.arrays import labels_of, write_npz
from gan_cli.sampling.inputs import Inputs
from gan_cli.sampling.model import class_number
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.lists import several

ROWS = 8  # images that are changed
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the strength, from left to right


@task(
    "attribute",
    needs=["model", "encoder", "inputs"],
    keys=["input", "dataset", "count", "attribute", "strength", "space"],
)
def attribute(job: Job) -> list[str]:
    """Writes attributes.npz with the mean latent of each class, and attribute.png for images.

    Each row of the picture shows an image x of the first class, G(E(x)), and G(E(x) + s v) with s
    up to `strength`, where v is the mean latent of the second class minus that of the first (Larsen
    et al. 2016, arXiv:1512.09300, Section 4.2).
    """
    inputs, autoencoder = job.inputs, job.autoencoder
    labels, (first, second) = classes_of(inputs, job.options)
    strength = 1.0 if job.options.strength is None else job.options.strength
    codes = autoencoder.encode(inputs.samples)
    means = class_means(codes, labels, inputs.dataset.spec.classes)
    direction = means[second] - means[first]
    picked = torch.where(labels == first)[0][:ROWS]
    steps = strength * torch.tensor(SHARES)[:, None]  # (S, 1)
    moved = torch.cat([codes[i] + steps * direction for i in picked])  # (rows * S, latent_dim)
    changed = autoencoder.generate(moved)
    arrays = {"means": means.numpy(), "vector": direction.numpy(), "changed": changed.numpy()}
    files = [write_npz(job.folder / "attributes.npz", {**arrays, **labels_of(inputs)})]
    if autoencoder.has_picture:
        stored = autoencoder.kind.to_stored(changed)
        tiles = stored.unflatten(0, (len(picked), -1))  # (rows, S, C, H, W)
        rows = torch.cat((inputs.samples[picked][:, None], tiles), 1)
        save_png(job.folder / "attribute.png", grid(rows.flatten(0, 1), rows.shape[1]))
        files.append(str(job.folder / "attribute.png"))
    return [f"length of the attribute vector: {direction.norm():.4f}", *files]


def classes_of(inputs: Inputs, options: SampleOptions) -> tuple[Tensor, tuple[int, int]]:
    """Returns the labels (N,) of the inputs, and the two classes of options.attribute."""
    if options.attribute is None:
        raise ConfigError(
            "attribute: has no value; type two classes, from the first to the second: attribute=7,1"
        )
    if inputs.labels is None:
        raise ConfigError(
            "attribute: names classes, and the images have none; give a folder with a sub-folder "
            "for each class, or a labelled data set"
        )
    named = [class_number(label, inputs.dataset.spec) for label in several(options.attribute)]
    if len(named) != 2 or named[0] == named[1]:
        raise ConfigError("attribute: goes from one class to another; type attribute=7,1, say")
    for number in named:
        if not (inputs.labels == number).any():
            raise ConfigError(f"attribute: none of the {len(inputs)} images is of class {number}")
    return inputs.labels, (named[0], named[1])


def class_means(codes: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Returns the mean latents (classes, latent_dim), NaN for classes without an image."""
    missing = torch.full_like(codes[0], torch.nan)
    of_class = [codes[labels == k] for k in range(classes)]
    return torch.stack([part.mean(0) if len(part) else missing for part in of_class])
