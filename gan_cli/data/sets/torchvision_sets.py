"""Published data sets that torchvision downloads and that fit into memory."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.ranges import Pixels
from gan_cli.data.dataset import datasets
from gan_cli.data.files.download import fetch
from gan_cli.data.files.image import Resize, fit_all
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.leave_out import leave_out

DIGITS = tuple("0123456789")
SquareResize = Literal["pad", "stretch"]  # for square images, "crop" equals "stretch"


def labelled(images: Tensor | np.ndarray, labels: Any, size: int | None, resize: Resize) -> dict:
    """Returns tensors for InMemory from labels (N,) and uint8 images.

    Images are (N, H, W), (N, H, W, 3) or (N, 3, H, W).
    """
    images = torch.as_tensor(images)
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[1] != 3:
        images = images.permute(0, 3, 1, 2)
    label = torch.as_tensor(np.asarray(labels), dtype=torch.int64)
    return {"real": fit_all(images.contiguous(), size, resize), "label": label}


@datasets.register("mnist")
class MNIST(InMemory):
    """Handwritten digits, gray 28x28, 60,000 + 10,000 (LeCun et al. 1998)."""

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "test"] = "train",
        size: Pixels | None = 32,
        resize: SquareResize = "pad",
        hflip: bool = False,
        without: tuple[str, ...] = (),
    ) -> None:
        source = fetch("MNIST", root, train=split == "train")
        tensors = labelled(source.data, source.targets, size, resize)
        super().__init__(leave_out(tensors, without, DIGITS), 10, DIGITS, hflip)


@datasets.register("fashion_mnist")
class FashionMNIST(InMemory):
    """Clothes, gray 28x28, 60,000 + 10,000 (Xiao et al. 2017, arXiv:1708.07747)."""

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "test"] = "train",
        size: Pixels | None = 32,
        resize: SquareResize = "pad",
        hflip: bool = False,
        without: tuple[str, ...] = (),
    ) -> None:
        source = fetch("FashionMNIST", root, train=split == "train")
        tensors = labelled(source.data, source.targets, size, resize)
        names = tuple(source.classes)
        super().__init__(leave_out(tensors, without, names), 10, names, hflip)


@datasets.register("cifar10")
class CIFAR10(InMemory):
    """Photos of ten classes, 32x32, 50,000 + 10,000 (Krizhevsky 2009)."""

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "test"] = "train",
        size: Pixels | None = None,
        resize: SquareResize = "stretch",
        hflip: bool = False,
        without: tuple[str, ...] = (),
    ) -> None:
        source = fetch("CIFAR10", root, train=split == "train")
        tensors = labelled(source.data, source.targets, size, resize)
        names = tuple(source.classes)
        super().__init__(leave_out(tensors, without, names), 10, names, hflip)


@datasets.register("cifar100")
class CIFAR100(InMemory):
    """Photos of a hundred classes, 32x32, 50,000 + 10,000 (Krizhevsky 2009)."""

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "test"] = "train",
        size: Pixels | None = None,
        resize: SquareResize = "stretch",
        hflip: bool = False,
    ) -> None:
        source = fetch("CIFAR100", root, train=split == "train")
        tensors = labelled(source.data, source.targets, size, resize)
        super().__init__(tensors, 100, tuple(source.classes), hflip)


@datasets.register("svhn")
class SVHN(InMemory):
    """House numbers, 32x32, 73,257 + 26,032 + 531,131 extra (Netzer et al. 2011)."""

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "test", "extra"] = "train",
        size: Pixels | None = None,
        resize: SquareResize = "stretch",
        hflip: bool = False,
    ) -> None:
        source = fetch("SVHN", root, split=split)
        tensors = labelled(source.data, source.labels, size, resize)
        super().__init__(tensors, 10, DIGITS, hflip)


@datasets.register("stl10")
class STL10(InMemory):
    """Photos, 96x96, 5,000 + 8,000 of ten classes and 100,000 unlabelled (Coates et al. 2011)."""

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "test", "unlabeled"] = "unlabeled",
        size: Pixels | None = 48,
        resize: SquareResize = "stretch",
        hflip: bool = False,
    ) -> None:
        source = fetch("STL10", root, split=split)
        tensors = labelled(source.data, source.labels, size, resize)
        if split == "unlabeled":  # torchvision labels them all -1
            super().__init__({"real": tensors["real"]}, hflip=hflip)
        else:
            super().__init__(tensors, 10, tuple(source.classes), hflip)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({"real"} if options["split"] == "unlabeled" else {"real", "label"})
