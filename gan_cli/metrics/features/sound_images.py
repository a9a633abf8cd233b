"""Sounds as small pictures of their spectrograms, which classifiers of images take."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.data.kinds.audio import FULL_SCALE
from gan_cli.metrics.features.small_resnet import MAX_SIZE

WINDOW = 256  # samples of a Fourier transform; shorter sounds are padded
QUIETEST = -80.0  # decibels that become 0; a sine of full scale has 0 dB, which becomes 255


def sound_images(sounds: Tensor) -> Tensor:
    """Sounds int16 (N, C, T) to uint8 (N, C, 64, 64): level by frequency, from 0 Hz, and time."""
    flat = sounds.float().flatten(0, 1) / FULL_SCALE  # (N * C, T)
    flat = F.pad(flat, (0, max(0, WINDOW - flat.shape[1])))
    window = torch.hann_window(WINDOW, device=sounds.device)
    hop = min(WINDOW // 2, max(1, flat.shape[1] // MAX_SIZE))
    spectrum = torch.stft(
        flat, WINDOW, hop, window=window, pad_mode="constant", return_complex=True
    ).abs()
    amplitude = spectrum * 2 / window.sum()
    level = 20 * amplitude.clamp(min=10 ** (QUIETEST / 20)).log10()  # dB
    small = F.adaptive_avg_pool2d(level, (MAX_SIZE, MAX_SIZE))
    image = ((small / -QUIETEST + 1) * 255).clamp(0, 255).round().byte()
    return image.unflatten(0, sounds.shape[:2])
