"""Data sets, and the feeds that make batches of them. Importing it registers every data set."""

from gan_cli.data import (
    celeba,
    digits,
    folder,
    mixtures,
    mnist_5k,
    mnist_m,
    pair,
    planar,
    stacked_mnist,
    synthetic,
    torchvision_sets,
)
from gan_cli.data.registry import datasets

__all__ = [
    "celeba",
    "datasets",
    "digits",
    "folder",
    "mixtures",
    "mnist_5k",
    "mnist_m",
    "pair",
    "planar",
    "stacked_mnist",
    "synthetic",
    "torchvision_sets",
]
