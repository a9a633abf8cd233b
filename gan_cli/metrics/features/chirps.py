"""Features of sounds that should be chirps: pitch, sweep and loudness, measured."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import Dataset
from gan_cli.data.kinds import kind_of
from gan_cli.data.sets.chirps import LENGTH, RATE, envelope, quantiles
from gan_cli.metrics.features.untrained import ModuleFeatures
from gan_cli.metrics.metric import Embedded, extractors
from gan_cli.utils.errors import ConfigError

WINDOW, HOP = 512, 128  # samples of a Fourier transform, and from one to the next
NEAR = 3  # bins around the peak that belong to a tone
SILENT = 1e-12  # power of a bin, so that its log is finite


class ChirpMeasures(nn.Module):
    """The peak of each spectrum is followed over time, and a line is fitted, weighted by power."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW))
        self.level = math.sqrt(float((envelope() ** 2).mean()) / 2)  # RMS of amplitude 1

    def forward(self, sound: Tensor) -> Tensor:
        """Sounds (N, 1, T) in [-1, 1] to pitch in Hz, sweep in Hz/s and loudness (N, 3)."""
        frequency, power, _ = self.track(sound)
        frames = frequency.shape[1]
        time = (torch.arange(frames, device=sound.device) - (frames - 1) / 2) * HOP / RATE
        weight = power / power.sum(1, keepdim=True)
        center = (weight * time).sum(1, keepdim=True)
        mean = (weight * frequency).sum(1, keepdim=True)
        spread = (weight * (time - center) ** 2).sum(1)
        sweep = (weight * (time - center) * (frequency - mean)).sum(1) / spread
        pitch = mean[:, 0] - sweep * center[:, 0]
        loudness = sound.float().square().mean((1, 2)).sqrt() / self.level
        return torch.stack([pitch, sweep, loudness], 1)

    def purity(self, sound: Tensor) -> Tensor:
        """The share of the power that lies within NEAR bins of the peak (N,): 1 for chirps."""
        _, _, peak = self.track(sound)
        whole = self.spectrum(sound)
        bins = torch.arange(whole.shape[1], device=sound.device)[None, :, None]
        near = (bins - peak[:, None]).abs() <= NEAR
        return (whole * near).sum((1, 2)) / whole.sum((1, 2))

    def track(self, sound: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Frequency of the peaks in Hz, their power, and their bins, each (N, frames)."""
        power = self.spectrum(sound)
        peak = power[:, 1:-1].argmax(1) + 1  # (N, frames)
        below, at, above = (
            power.gather(1, (peak + i)[:, None])[:, 0].clamp(min=SILENT).log() for i in (-1, 0, 1)
        )
        bend = below - 2 * at + above
        offset = torch.where(bend < -1e-6, (below - above) / (2 * bend), 0)  # of the parabola
        frequency = (peak + offset.clamp(-0.5, 0.5)) * RATE / WINDOW
        return frequency, at.exp(), peak

    def spectrum(self, sound: Tensor) -> Tensor:
        """Power (N, WINDOW / 2 + 1, frames)."""
        window = self.get_buffer("window")
        found = torch.stft(
            sound.float().mean(1), WINDOW, HOP, window=window, center=False, return_complex=True
        )
        return found.abs().square()


@extractors.register("chirps")
class ChirpFeatures(ModuleFeatures):
    """Pitch, sweep and loudness, mapped by the law of dataset=chirps to uniform on [0, 1]."""

    name = "chirps"
    kinds: ClassVar[frozenset[str]] = frozenset({"audio"})

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        if tuple(dataset.spec.shape) != (1, LENGTH):
            raise ConfigError(
                "features: 'chirps' measures the sounds of dataset=chirps, (1, 4096) at 8 kHz; "
                f"these are {tuple(dataset.spec.shape)}: use metrics.features=spectrum"
            )
        super().__init__(ChirpMeasures(), device)
        self.to_model = kind_of(dataset.spec.fields[dataset.spec.target]).to_model

    def __call__(self, samples: Tensor) -> Embedded:
        return Embedded(quantiles(self.module(self.to_model(samples))).float())
