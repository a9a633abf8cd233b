"""Synthetic images for tests and first experiments."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from gan_cli.config.ranges import Natural, Pixels, Samples, Seed
from gan_cli.data.dataset import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.utils.free_memory import CPU, check_free


@datasets.register("synthetic")
class Synthetic(InMemory):
    """Stripes with four periods across the image and a random phase; the class is the direction.

    With `classes` = 0 images have no labels and one direction. `height` and `width` default to
    `size`.
    """

    self_contained: ClassVar[bool] = True  # reads nothing that does not come with the program

    def __init__(
        self,
        *,
        size: Pixels = 32,
        height: Pixels | None = None,
        width: Pixels | None = None,
        channels: Literal[1, 3, 4] = 3,
        classes: Natural = 4,
        count: Samples = 1024,
        seed: Seed = 0,
        hflip: bool = False,
    ) -> None:
        shape = (channels, size if height is None else height, size if width is None else width)
        total = 3 * 8 * count * math.prod(shape)  # stripes() computes in float64
        check_free(total, CPU, f"dataset.count: {count:,} images", "type a smaller dataset.count")
        random = np.random.default_rng(seed)
        labels = np.arange(count) % max(classes, 1)  # (N,)
        images = stripes(math.pi * labels / max(classes, 1), shape, random)
        tensors = {"real": torch.from_numpy(images)}
        if classes:
            tensors["label"] = torch.from_numpy(labels)
        super().__init__(tensors, classes, hflip=hflip)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({"real", "label"} if options["classes"] else {"real"})


def stripes(
    angle: np.ndarray, shape: tuple[int, int, int], random: np.random.Generator
) -> np.ndarray:
    """Returns uint8 (N, C, H, W); channels share the wave but have independent phases."""
    channels, height, width = shape
    y, x = np.arange(height)[:, None] / height, np.arange(width)[None] / width
    angle = angle[:, None, None]  # (N, 1, 1)
    wave = 4 * (x * np.cos(angle) + y * np.sin(angle))  # (N, H, W), in periods
    phase = random.random((len(angle), channels, 1, 1))
    return (127.5 * (1 + np.sin(2 * math.pi * (wave[:, None] + phase)))).round().astype(np.uint8)
