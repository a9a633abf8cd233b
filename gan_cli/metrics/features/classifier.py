"""Features of a small classifier that is trained on the labels of the data set.

They are to this data set what Inception is to ImageNet. Values carry their name (fd_classifier) and
can be compared within one data set only. Sounds are classified by their spectrograms.
"""

import hashlib
import logging
from time import monotonic
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.checkpoints.files import State
from gan_cli.data.dataset import Dataset, pick
from gan_cli.metrics.features.classifier_training import train
from gan_cli.metrics.features.small_resnet import (
    MAX_SIZE,
    Classifier,
    downsample,
    downsampled_size,
)
from gan_cli.metrics.features.sound_images import sound_images
from gan_cli.metrics.metric import Embedded, extractors
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.utils.cache import cached, content_hash
from gan_cli.utils.errors import ConfigError

log = logging.getLogger("gan_cli")

VERSION = 1  # raised whenever the trained weights change
MAX_IMAGES = 60_000  # for training and testing together


def trained_classifier(dataset: Dataset, device: torch.device) -> Classifier:
    """The classifier of a data set in evaluation mode, from the cache or newly trained.

    Raises ConfigError if the data set has fewer than two classes.
    """
    images, labels = labelled_images(dataset)
    classes = max(dataset.spec.classes, int(labels.max()) + 1)
    network = initial_classifier(tuple(images.shape[1:]), classes).to(device)

    def learn() -> State:
        log.info("training a classifier of this data set on %d images; it is cached", len(images))
        started = monotonic()
        with exact_numerics(device):
            accuracy = train(network, images, labels)
        log.info(
            "the classifier has an accuracy of %.1f %% on held-out images, after %.0f s",
            100 * accuracy,
            monotonic() - started,
        )
        return {"weights": network.state_dict(), "accuracy": accuracy}

    key = {
        "version": VERSION,
        "classes": classes,
        "images": content_hash([images]),
        "labels": content_hash([labels]),
    }
    state = cached("classifier", key, learn)
    network.load_state_dict(state["weights"])
    network.accuracy = state["accuracy"]
    return network.eval().requires_grad_(False)


def labelled_images(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Images (N, C, h, w) uint8 and labels (N,): all, or MAX_IMAGES from a fixed random choice.

    Those of sounds are their spectrograms.
    """
    labels = dataset.labels()
    found = 0 if labels is None else len(labels.unique())
    if labels is None or found < 2:
        raise ConfigError(
            "features: 'classifier' learns the classes of the data set, which has "
            f"{'labels of one class only' if found else 'no labels'}; use metrics.features=random"
        )
    picked = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))[:MAX_IMAGES]
    size = image_shape(dataset)[1:]
    shape = (dataset.spec.shape[0], *downsampled_size(*size))
    images = torch.empty(len(picked), *shape, dtype=torch.uint8)  # 0.7 GB at most
    for into, part in zip(images.split(256), picked.split(256), strict=True):
        into.copy_(downsample(as_images(pick(dataset, dataset.spec.target, part)), shape[1:]))
    return images, labels[picked]


def image_shape(dataset: Dataset) -> tuple[int, ...]:
    """Returns the shape (C, H, W) of the images that are classified."""
    sound = dataset.spec.kind == "audio"
    return (dataset.spec.shape[0], MAX_SIZE, MAX_SIZE) if sound else dataset.spec.shape


def as_images(stored: Tensor) -> Tensor:
    """Returns uint8 images (N, C, H, W), which those of sounds int16 (N, C, T) are made of."""
    return sound_images(stored) if stored.dtype == torch.int16 else stored


def initial_classifier(shape: tuple[int, ...], classes: int) -> Classifier:
    """An untrained classifier, with the same weights every time; global generators are restored."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # torch.manual_seed would also seed CUDA
        return Classifier(shape, classes).to(memory_format=torch.channels_last)


@extractors.register("classifier")
class ClassifierFeatures:
    """Features (N, 128) before the last layer of the classifier."""

    name = "classifier"
    kinds = frozenset({"image", "audio"})
    classifies = True

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.network = trained_classifier(dataset, device)
        self.weights = checksum(self.network)

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> Embedded:
        features = self.network.embed(as_images(samples))
        return Embedded(features, self.network.head(features))

    def describe(self) -> dict[str, Any]:
        accuracy = round(self.network.accuracy, 4)
        return {"version": VERSION, "weights": self.weights, "test_accuracy": accuracy}


def checksum(network: nn.Module) -> str:
    """SHA-256 of the bytes of the weights, in the order of the state dict."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.cpu().contiguous().numpy().data)
    return digest.hexdigest()
