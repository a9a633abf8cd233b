"""Data sets, and the feeds that make batches of them. Importing it registers every data set."""

from gan_cli.data import (
    celeba,
    folder,
    mixtures,
    mnist_5k,
    planar,
    stacked_mnist,
    synthetic,
    torchvision_sets,
)
from gan_cli.data.registry import datasets

__all__ = [
    "celeba",
    "datasets",
    "folder",
    "mixtures",
    "mnist_5k",
    "planar",
    "stacked_mnist",
    "synthetic",
    "torchvision_sets",
]
