"""Matplotlib figures that are drawn off screen and returned as arrays.

matplotlib is imported on first use: it takes about half a second, and most commands draw nothing.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Color = tuple[int, int, int]  # red, green, blue from 0 to 255

SIZE, DPI = 512, 100  # pixels per side, pixels per inch
FRAME, FRAME_LEFT, FRAME_BOTTOM = 448, 48, 32  # the square inside the axes, in pixels
REAL, FAKE, DARK = (84, 112, 148), (242, 129, 32), (60, 60, 60)
STYLE = {
    "font.size": 9,
    "text.color": "0.2",
    "axes.edgecolor": "0.7",
    "axes.linewidth": 0.8,
    "axes.labelcolor": "0.2",
    "axes.axisbelow": True,
    "axes.formatter.limits": (-3, 4),
    "grid.color": "0.92",
    "xtick.color": "0.7",
    "ytick.color": "0.7",
    "xtick.labelcolor": "0.3",
    "ytick.labelcolor": "0.3",
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


@dataclass(frozen=True)
class Limits:
    """The rectangle of the plane that a plot shows."""

    left: float
    bottom: float
    width: float
    height: float

    @classmethod
    def around(cls, points: Tensor, margin: float = 0.1) -> "Limits":
        """The square around all finite `points` (N, 2) with `margin` of its side free around them.

        Without a finite point, the square from -0.5 to 0.5.
        """
        points = points.detach().cpu().double()
        finite = points[points.isfinite().all(1)]
        if not len(finite):
            return cls(-0.5, -0.5, 1.0, 1.0)
        low, high = finite.min(0).values, finite.max(0).values
        smallest = 1e-6 * max(1.0, finite.abs().max().item())  # equal points have no extent
        side = max((high - low).max().item(), smallest) / (1 - 2 * margin)
        left, bottom = ((low + high - side) / 2).tolist()
        return cls(left, bottom, side, side)

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def top(self) -> float:
        return self.bottom + self.height

    def contains(self, points: Tensor) -> Tensor:
        """(N, 2) to (N,) bool; False for points that are not finite."""
        x, y = points.unbind(1)
        return (x >= self.left) & (x <= self.right) & (y >= self.bottom) & (y <= self.top)


@contextmanager
def new_figure(width: int = SIZE, height: int = SIZE) -> Iterator["Figure"]:
    """A blank figure of `width` x `height` pixels, to be drawn within the context.

    Matplotlib's default style and `STYLE` apply whatever the user's matplotlibrc says, and its
    notices (such as that the font cache is being built) are not logged.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib.style
        from matplotlib.figure import Figure

        with matplotlib.style.context(["default", STYLE]):
            yield Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    finally:
        logger.setLevel(level)


def to_array(figure: "Figure") -> np.ndarray:
    """The pixels of `figure`, (H, W, 3) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def add_axes(figure: "Figure", limits: Limits) -> "Axes":
    """Axes at a fixed place in the figure, so that the frames of a film do not jump."""
    place = (FRAME_LEFT / SIZE, FRAME_BOTTOM / SIZE, FRAME / SIZE, FRAME / SIZE)
    axes = figure.add_axes(
        place, xlim=(limits.left, limits.right), ylim=(limits.bottom, limits.top)
    )
    axes.grid(True)
    axes.yaxis.get_offset_text().set_x(-0.1)  # "1e6" stands to the left of the legend
    return axes


def add_legend(axes: "Axes", entries: Sequence[tuple[str, Color]]) -> None:
    """A row of labels, each behind a dot of its colour, above the axes."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=7, color=unit_rgb(color), label=label)
        for label, color in entries
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0, 1.005),
        ncols=len(handles),
        frameon=False,
        borderaxespad=0,
        handlelength=0.8,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def unit_rgb(color: Color) -> tuple[float, float, float]:
    """0..255 to 0..1, as matplotlib expects colours."""
    red, green, blue = color
    return red / 255, green / 255, blue / 255


def fake_label(outside: int) -> str:
    """The legend's label of the generated samples, of which `outside` are not in the plot."""
    return f"fake ({outside} outside)" if outside else "fake"
