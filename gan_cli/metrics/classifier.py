"""A small classifier of the data set's own labels, and its features.

What Inception is to ImageNet: features that tell the classes of this data set apart. Scores made
of them carry their name (fd_classifier) and compare within one data set only.
"""

import hashlib
import logging
import math
from time import monotonic
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.cache import cached, content_hash
from gan_cli.checkpoint import State
from gan_cli.data.registry import Dataset
from gan_cli.errors import ConfigError
from gan_cli.metrics.classifier_training import train
from gan_cli.metrics.registry import Embedded, extractors

log = logging.getLogger("gan_cli")

VERSION = 1  # of all that decides the weights
LARGEST = 64  # pixels a side; larger images are averaged down
POOL = 60_000  # images at most, to learn from and to be tested on


class Block(nn.Module):
    """A basic block of He et al. 2016 (arXiv:1512.03385), figure 2, that halves the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(h)) + self.shortcut(x)).relu()  # (N, outputs, H / 2, W / 2)


class Classifier(nn.Module):
    """0.29 million parameters; works at about 16x16, where a core trains on 1,000 images/s."""

    accuracy: float  # on images of its data set that it has not learned from

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.size = shrunk_size(*shape[1:])
        stride = max(1, round(math.sqrt(math.prod(self.size)) / 16))
        self.stem = nn.Conv2d(shape[0], 32, 3 * stride, stride, padding=stride, bias=False)
        self.norm = nn.BatchNorm2d(32)
        self.blocks = nn.Sequential(Block(32, 64), Block(64, 128))
        self.head = nn.Linear(128, classes)

    def embed(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) -> (N, 128)."""
        x = shrunk(images, self.size).float() / 127.5 - 1
        return self.blocks(self.norm(self.stem(x)).relu()).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) -> logits (N, classes)."""
        return self.head(self.embed(images))


def shrunk_size(height: int, width: int) -> tuple[int, int]:
    shrink = min(1.0, LARGEST / max(height, width))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def shrunk(images: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8, each pixel the mean of those that it stands for."""
    if images.shape[2:] == size:
        return images
    return F.adaptive_avg_pool2d(images.float(), size).round().byte()


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
            "name: 'classifier' learns to tell the classes of the data set apart, which has "
            f"{'labels of one class only' if found else 'no labels'}; use 'random'"
        )
    picked = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))[:POOL]
    shape = (dataset.spec.shape[0], *shrunk_size(*dataset.spec.shape[1:]))
    images = torch.empty(len(picked), *shape, dtype=torch.uint8)  # 0.7 GB at most
    for into, part in zip(images.split(256), picked.split(256), strict=True):
        into.copy_(shrunk(read(dataset, part), shape[1:]))
    return images, labels[picked]


def read(dataset: Dataset, picked: Tensor) -> Tensor:
    """uint8 (n, C, H, W)"""
    tensors = dataset.tensors()
    if tensors is not None:
        return tensors["real"][picked]
    return torch.stack([dataset[index]["real"] for index in picked.tolist()])


def initial(shape: tuple[int, ...], classes: int) -> Classifier:
    """PyTorch's own initial weights, the same each time; the global stream stays where it is."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # torch.manual_seed would seed CUDA's as well
        return Classifier(shape, classes).to(memory_format=torch.channels_last)


@extractors.register("classifier")
class ClassifierFeatures:
    """What the classifier knows about an image before it decides: 128 features."""

    name = "classifier"
    dimensions = 3
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
