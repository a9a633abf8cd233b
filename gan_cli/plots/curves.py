"""Values of metrics against a setting, a panel for each."""

from collections.abc import Mapping, Sequence

import numpy as np

from gan_cli.plots.figure import DARK, FAKE, new_figure, to_array
from gan_cli.plots.figure import unit_rgb as rgb

WIDTH, HEIGHT = 512, 200  # pixels of a panel


def curves(
    setting: str, steps: Sequence[float], values: Mapping[str, Sequence[float]]
) -> np.ndarray:
    """Panels below each other, (200 * metrics, 512, 3) uint8.

    `values` has one number for each step, and a last one without the setting: a dashed line.
    """
    with new_figure(WIDTH, HEIGHT * len(values)) as figure:
        panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, numbers) in zip(panels, values.items(), strict=True):
            axes.axhline(numbers[-1], color=rgb(DARK), linestyle="--", linewidth=1)
            axes.plot(steps, numbers[:-1], "o-", color=rgb(FAKE), markersize=4, linewidth=1.5)
            axes.set_title(f"{name} (dashed: no {setting})", fontsize=9, loc="left")
            axes.grid(True)
        panels[-1].set_xlabel(setting)
        figure.tight_layout()
        return to_array(figure)
