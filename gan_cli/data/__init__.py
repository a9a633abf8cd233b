"""Data sets, and the feeds that make batches of them. Importing it registers every data set."""

from gan_cli.data import celeba, folder, mnist_5k, synthetic, torchvision_sets
from gan_cli.data.registry import datasets

__all__ = ["celeba", "datasets", "folder", "mnist_5k", "synthetic", "torchvision_sets"]
