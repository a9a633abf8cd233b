"""Spectrograms of sounds, and sounds of spectrograms by Griffin & Lim 1984."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

FLOOR = 1e-6  # of amplitudes, so that their logs are finite


def transformed(sound: Tensor, window: int, hop: int) -> Tensor:
    """Sounds (N, T) to complex spectra (N, window / 2 + 1, T / hop + 1)."""
    return torch.stft(
        sound, window, hop, window=hann(window, sound), pad_mode="constant", return_complex=True
    )


def hann(window: int, like: Tensor) -> Tensor:
    return torch.hann_window(window, device=like.device)


def log_amplitudes(sound: Tensor, window: int, hop: int) -> Tensor:
    """Sounds (N, C, T) to log(|X| + FLOOR) (N, C, window / 2, T / hop).

    The highest frequency and the last time are dropped, so that both sizes are powers of two.
    """
    spectra = transformed(sound.float().flatten(0, 1), window, hop)[:, :-1, :-1]
    return (spectra.abs() + FLOOR).log().unflatten(0, sound.shape[:2])


def inverted(level: Tensor, phase: Tensor, window: int, hop: int, iterations: int) -> Tensor:
    """Sounds (N, C, T) of log amplitudes (N, C, window / 2, T / hop), by Griffin-Lim.

    The phases, from `phase` (N, C * (window / 2) * (T / hop)) in [0, 1) at the start, become those
    of the spectrum of the sound, `iterations` times. The time that was dropped repeats the one
    before, the frequency is silent.
    """
    flat = level.float().flatten(0, 1)  # (N * C, F, frames)
    amplitude = F.pad((flat.exp() - FLOOR).clamp(min=0), (0, 1), mode="replicate")
    angle = F.pad(2 * math.pi * phase.view_as(flat), (0, 1))
    amplitude, angle = F.pad(amplitude, (0, 0, 0, 1)), F.pad(angle, (0, 0, 0, 1))
    length = level.shape[3] * hop
    spectra = torch.polar(amplitude, angle)

    def sound_of(spectra: Tensor) -> Tensor:
        return torch.istft(spectra, window, hop, window=hann(window, level), length=length)

    for _ in range(iterations):
        estimate = transformed(sound_of(spectra), window, hop)
        spectra = torch.polar(amplitude, estimate.angle())
    return sound_of(spectra).unflatten(0, level.shape[:2])
