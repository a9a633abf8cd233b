"""Chirps: tones of a pitch that rises or falls, of a law that is known, for tests of sound."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.ranges import Samples, Seed
from gan_cli.data.dataset import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.utils.free_memory import CPU, check_free

RATE, LENGTH = 8000, 4096  # in Hz, and in samples: 0.512 s
PITCH = (600.0, 1800.0)  # Hz, at the middle of a sound; all three are uniform and independent
SWEEP = (-1500.0, 1500.0)  # Hz per second
LOUDNESS = (0.2, 0.9)  # amplitude, 1 is full scale
LAW = torch.tensor([PITCH, SWEEP, LOUDNESS], dtype=torch.float64)  # (3, 2)
TAPER = 0.25  # share of a sound in which it swells, and as much in which it fades
PART = 512  # sounds that are computed at a time


@datasets.register("chirps")
class Chirps(InMemory):
    """Sounds int16 (1, 4096) at 8 kHz of random pitch, sweep, loudness and phase.

    The class is 1 if the pitch rises, else 0.
    """

    self_contained: ClassVar[bool] = True  # reads nothing that does not come with the program

    def __init__(self, *, count: Samples = 8192, seed: Seed = 0) -> None:
        total = 2 * count * LENGTH
        check_free(total, CPU, f"dataset.count: {count:,} sounds", "type a smaller dataset.count")
        random = np.random.default_rng(seed)
        low, high = LAW.T.numpy()
        law = low + (high - low) * random.random((count, 3))  # pitch, sweep, loudness
        phase = 2 * math.pi * random.random(count)
        self.drawn = torch.from_numpy(law)
        tensors = {
            "real": torch.from_numpy(chirps(law, phase)),
            "label": torch.from_numpy((law[:, 1] > 0).astype(np.int64)),
        }
        field = Field("audio", sample_rate=RATE)
        super().__init__(tensors, 2, ("falls", "rises"), field=field)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real", "label"})


def chirps(law: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Returns sounds int16 (N, 1, LENGTH) of `law` (N, 3) and phases (N,) at their middle."""
    time = (np.arange(LENGTH) - (LENGTH - 1) / 2) / RATE  # s
    made = np.empty((len(law), 1, LENGTH), np.int16)
    for start in range(0, len(law), PART):
        pitch, sweep, loudness = law[start : start + PART, :, None].transpose(1, 0, 2)
        cycles = pitch * time + sweep / 2 * time**2
        wave = np.sin(2 * math.pi * cycles + phase[start : start + PART, None])
        made[start : start + PART, 0] = np.rint(32767 * loudness * envelope() * wave)
    return made


def envelope() -> np.ndarray:
    """Returns the amplitude over time (LENGTH,), between 0 and 1: a Tukey window."""
    place = (np.arange(LENGTH) + 0.5) / LENGTH
    edge = np.minimum(place, 1 - place) / TAPER
    return np.sin(math.pi / 2 * np.minimum(edge, 1)) ** 2


def quantiles(measured: Tensor) -> Tensor:
    """Returns pitch, sweep and loudness (N, 3) mapped by the law to [0, 1], where it is uniform."""
    low, high = LAW.T.to(measured.device)
    return (measured.double() - low) / (high - low)
