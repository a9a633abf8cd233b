"""Stacked MNIST: images with a thousand modes, the numbers of three digits."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Pixels, Samples, Seed
from gan_cli.data.dataset import datasets
from gan_cli.data.ground_truth import Modes
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.mixtures import PROVIDED
from gan_cli.data.sets.mnist_5k import MNIST5k
from gan_cli.data.sets.torchvision_sets import MNIST
from gan_cli.data.spec import image_spec
from gan_cli.utils.kept import kept

KEPT_BYTES = 2 * 2**30  # largest size held in memory; larger sets are built sample by sample
BATCH = 1024  # digits classified at a time
PLACES = torch.tensor([100, 10, 1])


@datasets.register("stacked_mnist")
class StackedMNIST:
    """Three random digits as red, green and blue; the label is 100 a + 10 b + c.

    Metz et al. 2017 (arXiv:1611.02163), section 3.3.1, with 128,000 samples as in VEEGAN and
    PacGAN, and 32x32 pixels as in later work.
    """

    hflip = False

    def __init__(
        self,
        *,
        source: Literal["mnist", "mnist_5k"] = "mnist",
        root: str = "data",
        size: Pixels | None = 32,
        count: Samples = 128_000,
        seed: Seed = 0,
    ) -> None:
        five_k = source == "mnist_5k"
        self.digits: InMemory = MNIST5k(size=size) if five_k else MNIST(root=root, size=size)
        stacked = self.digits.tensors()
        self.images, self.classes = stacked["real"][:, 0], stacked["label"]  # (M, H, W), (M,)
        random = np.random.default_rng(seed)
        self.triples = torch.from_numpy(random.integers(len(self.images), size=(count, 3)))
        self.label = (self.classes[self.triples] * PLACES).sum(1)  # (count,)
        self.spec = image_spec((3, *self.images.shape[1:]), 1000)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return PROVIDED

    def __len__(self) -> int:
        return len(self.triples)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"real": self.images[self.triples[index]], "label": self.label[index]}

    @cached_property
    def stacked(self) -> dict[str, Tensor]:
        return {"real": self.images[self.triples], "label": self.label}  # 0.4 GB by default, 2 s

    def tensors(self) -> dict[str, Tensor] | None:
        size = self.triples.numel() * self.images[0].numel()
        return self.stacked if size <= KEPT_BYTES else None

    def labels(self) -> Tensor:
        return self.label

    @kept
    def fingerprint(self) -> str:
        digest = hashlib.blake2b(self.digits.fingerprint().encode(), digest_size=8)
        digest.update(self.triples.numpy().data)
        return digest.hexdigest()

    def modes(self) -> "Modes":
        """Returns the modes, assigned by a classifier of digits that is trained or cached."""
        from gan_cli.data.ground_truth import Modes
        from gan_cli.metrics.features.classifier import trained_classifier

        classifier = trained_classifier(self.digits, torch.device("cpu"))
        share = torch.bincount(self.classes, minlength=10).double() / len(self.classes)  # (10,)
        proportions = torch.einsum("a,b,c->abc", share, share, share).flatten()

        def assign(samples: Tensor) -> tuple[Tensor, Tensor]:
            every = torch.ones(len(samples), dtype=torch.bool, device=samples.device)
            return numbers(classifier, samples), every  # all samples count as high quality

        return Modes(proportions, assign)


def numbers(classifier: nn.Module, samples: Tensor) -> Tensor:
    """Classifies the three digits of uint8 samples (N, 3, H, W); returns numbers (N,) int64."""
    classifier.to(samples.device)
    digits = samples.flatten(0, 1)[:, None]  # (3 N, 1, H, W)
    with torch.no_grad():
        read = torch.cat([classifier(batch).argmax(1) for batch in digits.split(BATCH)])
    return (read.view(-1, 3) * PLACES.to(samples.device)).sum(1)
