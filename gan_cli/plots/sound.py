"""Pictures of sounds: waveforms and spectrograms."""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.plots.figure import REAL, new_figure, to_array, unit_rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = 768  # pixels per side
MOST = 16  # samples per picture
LAYOUT = {"left": 0.08, "right": 0.98, "bottom": 0.055, "top": 0.985, "wspace": 0.12, "hspace": 0.1}
WINDOW = 0.032  # seconds of a frame of the spectrogram
COLUMNS, ROWS = 192, 96  # cells of a spectrogram; more would be below a pixel
QUIETEST = -80.0  # decibels that are drawn black; a sine of amplitude 1 has 0 dB


def waveforms(samples: np.ndarray | Tensor, sample_rate: int) -> np.ndarray:
    """Up to 16 sounds in a grid, each waveform above its spectrogram; (768, 768, 3) uint8.

    Args:
        samples: (N, C, T) in [-1, 1]; values outside are clipped, those not finite drawn as 0. A
            waveform covers the range of all channels, a spectrogram is their mean power.
        sample_rate: Samples per second, for the axes in seconds and Hz.
    """
    sounds = torch.as_tensor(samples)[:MOST].detach().cpu().float()
    sounds = sounds.nan_to_num(0, 0, 0).clamp(-1, 1)
    columns = max(1, math.ceil(math.sqrt(len(sounds))))
    rows = max(1, math.ceil(len(sounds) / columns))
    seconds = sounds.shape[-1] / sample_rate
    with new_figure(PICTURE, PICTURE) as figure:
        grid = figure.add_gridspec(rows, columns, **LAYOUT)
        for i, sound in enumerate(sounds):
            cell = grid[i // columns, i % columns].subgridspec(2, 1, height_ratios=(1, 2), hspace=0)
            upper, lower = figure.add_subplot(cell[0]), figure.add_subplot(cell[1])
            draw_waveform(upper, sound, seconds)
            draw_spectrogram(lower, sound, sample_rate)
            label_outer(lower, left=i % columns == 0, bottom=i + columns >= len(sounds))
        return to_array(figure)


def draw_waveform(axes: "Axes", sound: Tensor, seconds: float) -> None:
    """The range of a sound (C, T) in each column of pixels."""
    columns = min(sound.shape[-1], 2 * COLUMNS)
    high = F.adaptive_max_pool1d(sound, columns).amax(0)
    low = -F.adaptive_max_pool1d(-sound, columns).amax(0)
    time = (np.arange(columns) + 0.5) / columns * seconds
    color = unit_rgb(REAL)
    axes.fill_between(time, low, high, facecolor=color, edgecolor=color, linewidth=0.7)
    axes.set(xlim=(0, seconds), ylim=(-1.05, 1.05), xticks=[], yticks=[])


def draw_spectrogram(axes: "Axes", sound: Tensor, sample_rate: int) -> None:
    extent = (0, sound.shape[-1] / sample_rate, 0, sample_rate / 2)
    axes.imshow(
        decibels(sound, sample_rate),
        extent=extent,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=QUIETEST,
        vmax=0,
    )


def decibels(sound: Tensor, sample_rate: int) -> np.ndarray:
    """Power of a sound (C, T) from 0 Hz to half the sample rate, (frequencies, times) in dB.

    Frames have the power of two nearest to `WINDOW` seconds, fewer for sounds of a few frames, and
    overlap by three quarters.
    """
    length = sound.shape[-1]
    size = 2 ** round(math.log2(max(16, min(WINDOW * sample_rate, length / 8))))
    window = torch.hann_window(size)
    spectrum = torch.stft(
        sound, size, size // 4, window=window, pad_mode="constant", return_complex=True
    )
    amplitude = spectrum.abs() * 2 / window.sum()  # 1 at the frequency of a sine of amplitude 1
    power = amplitude.square().mean(0, keepdim=True)
    shape = (min(ROWS, power.shape[1]), min(COLUMNS, power.shape[2]))
    return (10 * F.adaptive_avg_pool2d(power, shape)[0].clamp(min=1e-12).log10()).numpy()


def label_outer(axes: "Axes", left: bool, bottom: bool) -> None:
    """Ticks and names of the axes on the left and lower edges of the grid only."""
    axes.ticklabel_format(style="plain", useOffset=False)
    axes.locator_params(nbins=3, steps=[1, 2, 5, 10], prune="upper")  # else it meets the next one
    if left:
        axes.set_ylabel("Hz", labelpad=1)
    else:
        axes.set_yticks([])
    if bottom:
        axes.set_xlabel("s", labelpad=1)
    else:
        axes.set_xticks([])
