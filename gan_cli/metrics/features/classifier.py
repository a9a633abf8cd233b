"""A small classifier of the data set's own labels, and its features.

What Inception is to ImageNet: features that tell the classes of this data set apart. Scores made
of them carry their name (fd_classifier) and compare within one data set only.
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
from gan_cli.metrics.features.small_resnet import Classifier, shrunk, shrunk_size
from gan_cli.metrics.metric import Embedded, extractors
from gan_cli.utils.cache import cached, content_hash
from gan_cli.utils.errors import ConfigError

log = logging.getLogger("gan_cli")

VERSION = 1  # of all that decides the weights
POOL = 60_000  # images at most, to learn from and to be tested on


def trained_classifier(dataset: Dataset, device: torch.device) -> Classifier:
    """In eval mode; from the cache if it has learned the same images and labels before.

    ConfigError if there are no two classes to tell apart.
    """
    images, labels = pool(dataset)
    classes = max(dataset.spec.classes, int(labels.max()) + 1)
    network = initial(tuple(images.shape[1:]), classes).to(device)

    def learn() -> State:
        log.info(
            "training the classifier of this data set on %d images: once, then cached", len(images)
        )
        started, accuracy = monotonic(), train(network, images, labels)
        log.info(
            "it recognises %.1f %% of held-out images, after %.0f s",
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


def pool(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Images (N, C, h, w) uint8 and labels (N,): all of them, or POOL picked once and for all."""
    labels = dataset.labels()
    found = 0 if labels is None else len(labels.unique())
    if labels is None or found < 2:
        raise ConfigError(
            "features: 'classifier' learns to tell the classes of the data set apart, which has "
            f"{'labels of one class only' if found else 'no labels'}; use metrics.features=random"
        )
    picked = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))[:POOL]
    shape = (dataset.spec.shape[0], *shrunk_size(*dataset.spec.shape[1:]))
    images = torch.empty(len(picked), *shape, dtype=torch.uint8)  # 0.7 GB at most
    for into, part in zip(images.split(256), picked.split(256), strict=True):
        into.copy_(shrunk(pick(dataset, dataset.spec.target, part), shape[1:]))
    return images, labels[picked]


def initial(shape: tuple[int, ...], classes: int) -> Classifier:
    """PyTorch's own initial weights, the same each time; the global stream stays where it is."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # torch.manual_seed would seed CUDA's as well
        return Classifier(shape, classes).to(memory_format=torch.channels_last)


@extractors.register("classifier")
class ClassifierFeatures:
    """What the classifier knows about an image before it decides: 128 features."""

    name = "classifier"
    kinds = frozenset({"image"})
    classifies = True

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.network = trained_classifier(dataset, device)
        self.weights = checksum(self.network)

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> Embedded:
        features = self.network.embed(samples)
        return Embedded(features, self.network.head(features))

    def describe(self) -> dict[str, Any]:
        accuracy = round(self.network.accuracy, 4)
        return {"version": VERSION, "weights": self.weights, "test_accuracy": accuracy}


def checksum(network: nn.Module) -> str:
    """sha256 of the weights' bytes, in the order of the network."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.cpu().contiguous().numpy().data)
    return digest.hexdigest()
