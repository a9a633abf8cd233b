"""MNIST-M: digits blended with patches of photos (Ganin et al. 2016, arXiv:1505.07818)."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.ranges import Pixels, Seed
from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import datasets
from gan_cli.data.files.archive import Archive, open_archive
from gan_cli.data.files.image import fit, read_image, square, to_tensor
from gan_cli.data.files.image_names import image_names
from gan_cli.data.files.unreadable import reason
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.mnist_5k import MNIST5k
from gan_cli.data.sets.torchvision_sets import MNIST

PHOTOS = 2000  # largest number of photos read; the paper's are from BSDS500, which has 500


@datasets.register("mnist_m")
class MNISTM(InMemory):
    """|patch - digit| in each channel, for a random square patch of a random photo.

    `photos` is a folder, or a zip archive of one; photos smaller than `size` are enlarged.
    """

    def __init__(
        self,
        *,
        photos: str,
        digits: Literal["mnist", "mnist_5k"] = "mnist",
        root: str = "data",
        split: Literal["train", "test"] = "train",
        size: Pixels = 28,
        seed: Seed = 0,
    ) -> None:
        if digits == "mnist_5k" and split == "test":
            raise ConfigError("split: mnist_5k has no test set; type split=train or digits=mnist")
        five_k = digits == "mnist_5k"
        source: InMemory = (
            MNIST5k(size=size) if five_k else MNIST(root=root, split=split, size=size)
        )
        gray = source.tensors()["real"]  # (N, 1, size, size)
        random = np.random.default_rng(seed)
        pictures = read_photos(photos, size, random)
        blended = torch.stack([blend(digit, patch(pictures, size, random)) for digit in gray])
        tensors = {"real": blended, "label": source.tensors()["label"]}
        super().__init__(tensors, source.spec.classes, source.spec.class_names)


def blend(digit: Tensor, background: Tensor) -> Tensor:
    """Returns |background - digit| of a uint8 digit (1, H, W) and a background (3, H, W)."""
    return (background.short() - digit.short()).abs().to(torch.uint8)


def read_photos(path: str, size: int, random: np.random.Generator) -> list[Tensor]:
    """Returns photos, uint8 (3, H, W) with height and width of at least `size`."""
    try:
        archive = open_archive(path)
        names = image_names(archive, path)
    except ConfigError as error:
        raise ConfigError(*(f.replace("dataset.path", "photos") for f in error.faults)) from None
    picked = sorted(random.permutation(len(names))[:PHOTOS])
    return [read_photo(archive, names[i], size) for i in picked]


def read_photo(archive: Archive, name: str, size: int) -> Tensor:
    try:
        image = read_image(archive.read(name), channels=3)
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise ConfigError(f"photos: {name} cannot be read ({reason(error)}); remove it") from None
    if min(image.size) < size:
        image = fit(image, *square(size), "crop")
    return to_tensor(image)


def patch(pictures: list[Tensor], size: int, random: np.random.Generator) -> Tensor:
    """Returns a random patch (3, size, size) of a random picture."""
    picture = pictures[random.integers(len(pictures))]
    top, left = (random.integers(side - size + 1) for side in picture.shape[1:])
    return picture[:, top : top + size, left : left + size]
