"""Feeds that stream, for tests of what may happen to their files and processes."""

import itertools

import numpy as np
import torch
from PIL import Image

from gan_cli.data.feeds.feed import open_feed
from gan_cli.data.spec import image_spec


def save_images(folder, count=12, size=16):
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(count):
        pixels = random.integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


class Lazy:
    """Samples that know their index; `fault` is called with the index of each."""

    hflip, spec = False, image_spec((3, 8, 8))

    def __init__(self, fault=lambda index: None, count=20):
        self.fault, self.count = fault, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.fault(index)
        return {"real": torch.full((3, 8, 8), index, dtype=torch.uint8)}

    def tensors(self):
        return None


def feed_of(dataset, workers=1, batch_size=4, resident=False, world=1):
    return open_feed(
        dataset,
        batch_size=batch_size,
        seed=0,
        rank=0,
        world=world,
        device=torch.device("cpu"),
        resident=resident,
        resident_gib=1,
        workers=workers,
    )


def read_all(dataset, workers):
    """Returns six batches."""
    feed = feed_of(dataset, workers)
    try:
        return list(itertools.islice(feed.batches(0), 6))
    finally:
        feed.close()
