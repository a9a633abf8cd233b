"""The folder in which cases run: a small run, images and arrays under the names that pages use."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from gan_cli.train import main as train
from tests.fuzz.outcome import outcome_of

TINY = (  # a labelled run with all that a checkpoint can hold
    *("run=tiny", "dataset=folder", "dataset.path=photos", "dataset.labels=folders", "model=cgan"),
    *("model.networks.generator.width=4", "model.networks.discriminator.width=4", "device=cpu"),
    *("steps=2", "batch_size=4", "metrics.count=8", "device.threads=1"),
)
SIZE = 16


def build(folder: Path) -> None:
    """Fills `folder`, which is the current one."""
    rng = np.random.default_rng(0)
    for name in "cats", "dogs":
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    arrays = rng.integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)
    np.savez(folder / "photos.npz", images=arrays, labels=np.arange(8) % 2)
    trained = outcome_of(train, list(TINY))
    assert trained.status == 0, trained.err
    shutil.copy(folder / "outputs/tiny/checkpoints/step-0000002.pt", folder / "photos.pt")
