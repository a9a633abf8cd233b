"""Features of sound: the level of each frequency band, and how much it varies."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import Dataset
from gan_cli.data.kinds import kind_of
from gan_cli.metrics.features.untrained import ModuleFeatures
from gan_cli.metrics.metric import Embedded, extractors

BANDS = 64
WINDOW = 256  # samples of a Fourier transform, 32 ms at 8 kHz; shorter sounds are padded
FLOOR = 1e-5  # of an amplitude: -100 dB, what 16 bits cannot hold


class SpectrumFeatures(nn.Module):
    """Mean and standard deviation over time of the log amplitude in BANDS bands of equal width."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW))

    def forward(self, sound: Tensor) -> Tensor:
        """Sound (N, C, T) in [-1, 1] to (N, C * 2 * BANDS)."""
        flat = sound.flatten(0, 1)  # (N * C, T)
        short = max(0, WINDOW - flat.shape[1])
        flat = nn.functional.pad(flat, (0, short))
        spectrum = torch.stft(
            flat, WINDOW, WINDOW // 4, window=self.get_buffer("window"), return_complex=True
        ).abs()  # (N * C, WINDOW / 2 + 1, frames)
        bands = nn.functional.adaptive_avg_pool1d(spectrum.mT, BANDS).mT  # (N * C, BANDS, frames)
        level = (bands / math.sqrt(WINDOW) + FLOOR).log()
        features = torch.cat([level.mean(2), level.std(2, correction=0)], 1)
        return features.view(len(sound), -1)


@extractors.register("spectrum")
class Spectrum(ModuleFeatures):
    """SpectrumFeatures: no download, any length, any sample rate."""

    name = "spectrum"
    kinds: ClassVar[frozenset[str]] = frozenset({"audio"})

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        super().__init__(SpectrumFeatures(), device)
        self.to_model = kind_of(dataset.spec.fields[dataset.spec.target]).to_model

    def __call__(self, samples: Tensor) -> Embedded:
        return Embedded(self.module(self.to_model(samples)))
