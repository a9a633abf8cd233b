"""What the values of the key preset aim at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """Time and size of a run. The times are those of the steps, without previews and scores."""

    cpu_minutes: float
    gpu_minutes: float
    cpu_side: int  # pixels, to which larger images are scaled
    gpu_side: int
    images: int  # shown at most, however fast the device is
    repeats: int  # of each image at most, but at least LEAST_SHOWN images in all
    gpu_width: int  # of r3gan networks at 64 x 64
    gpu_blocks: int
    cpu_width: int  # of dcgan generators
    steps: int | None = None  # a fixed number, which is not measured


LEAST_SHOWN = 1_000_000
LEVELS = {
    "auto": Level(20, 240, 64, 128, 10_000_000, 2_000, 64, 1, 32),
    "quality": Level(240, 1440, 64, 256, 25_000_000, 5_000, 128, 2, 48),
    "fast": Level(4, 15, 32, 64, 1_000_000, 1_000, 32, 1, 32),
    "tiny": Level(1, 1, 32, 32, 1_000, 1_000, 16, 1, 16, steps=20),
}
