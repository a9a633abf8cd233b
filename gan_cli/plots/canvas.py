"""White paper with axes to draw points and lines on, with Pillow.

Drawn at four times the size and averaged down, which is what makes the edges smooth.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SIZE = 512  # pixels a side
FINER = 4
LEFT, TOP, RIGHT, BOTTOM = 38, 34, 500, 486  # the frame in the picture, some space for text around
GRID, FRAME, TEXT = (234, 234, 234), (180, 180, 180), (80, 80, 80)

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Limits:
    """The part of the plane that is shown."""

    left: float
    bottom: float
    width: float
    height: float

    @classmethod
    def around(cls, points: Tensor, margin: float = 0.1) -> "Limits":
        """A square with all of `points` (N, 2), `margin` of its side free around them."""
        low, high = points.double().min(0).values, points.double().max(0).values
        side = max((high - low).max().item(), 1e-6) / (1 - 2 * margin)
        left, bottom = ((low + high - side) / 2).tolist()
        return cls(left, bottom, side, side)

    def holds(self, points: Tensor) -> Tensor:
        """(N, 2) -> (N,) bool; what is not finite is held by none."""
        x, y = points[:, 0] - self.left, points[:, 1] - self.bottom
        return (x >= 0) & (x <= self.width) & (y >= 0) & (y <= self.height)


class Canvas:
    """Positions are in the plane's own units, sizes in pixels of the picture."""

    def __init__(self, limits: Limits, paper: np.ndarray | None = None) -> None:
        self.limits = limits
        self.image = Image.new("RGB", (SIZE * FINER, SIZE * FINER), "white")
        if paper is not None:  # (height, width, 3) uint8, stretched to the frame
            size = (RIGHT - LEFT) * FINER, (BOTTOM - TOP) * FINER
            self.image.paste(Image.fromarray(paper).resize(size), (LEFT * FINER, TOP * FINER))
        self.brush = ImageDraw.Draw(self.image, "RGBA")  # blends what is not opaque
        self.font = ImageFont.load_default(12 * FINER)
        self.axes()

    def place(self, points: Tensor) -> np.ndarray:
        """(N, 2) in the finer picture, whose rows count downwards."""
        limits = self.limits
        x, y = (points.double().cpu().numpy() - (limits.left, limits.bottom)).T
        across = LEFT + x / limits.width * (RIGHT - LEFT)
        down = BOTTOM - y / limits.height * (BOTTOM - TOP)
        return np.stack([across, down], 1) * FINER

    def dots(self, points: Tensor, radius: Sequence[float], color: Color, opacity: float) -> None:
        """Those that the limits hold."""
        fill = (*color, round(255 * opacity))
        inside = self.limits.holds(points).tolist()
        for (x, y), r, shown in zip(self.place(points), radius, inside, strict=True):
            if shown:
                r *= FINER
                self.brush.ellipse((x - r, y - r, x + r, y + r), fill)

    def line(self, points: Tensor, color: Color, opacity: float, width: int = 1) -> None:
        """From each of `points` (N, 2) to the next."""
        path = [tuple(point) for point in self.place(points)]
        self.brush.line(path, (*color, round(255 * opacity)), width * FINER, joint="curve")

    def area(self, points: Tensor, color: Color, opacity: float) -> None:
        """Between `points` (N, 2) and the lower edge of the frame."""
        path = self.place(points)
        down = [(path[-1, 0], BOTTOM * FINER), (path[0, 0], BOTTOM * FINER)]
        corners = [tuple(corner) for corner in [*path, *down]]
        self.brush.polygon(corners, (*color, round(255 * opacity)))

    def axes(self) -> None:
        for x, label in ticks(self.limits.left, self.limits.width):
            at = LEFT + (x - self.limits.left) / self.limits.width * (RIGHT - LEFT)
            self.rule((at, TOP, at, BOTTOM), GRID)
            self.write((at, BOTTOM + 5), label, "mt")
        for y, label in ticks(self.limits.bottom, self.limits.height):
            at = BOTTOM - (y - self.limits.bottom) / self.limits.height * (BOTTOM - TOP)
            self.rule((LEFT, at, RIGHT, at), GRID)
            self.write((LEFT - 5, at), label, "rm")
        frame = tuple(edge * FINER for edge in (LEFT, TOP, RIGHT, BOTTOM))
        self.brush.rectangle(frame, outline=FRAME, width=FINER)

    def rule(self, ends: tuple[float, ...], color: Color) -> None:
        self.brush.line([end * FINER for end in ends], color, width=FINER)

    def write(self, at: tuple[float, float], text: str, anchor: str) -> float:
        """Returns how wide the text is."""
        x, y = at
        self.brush.text((x * FINER, y * FINER), text, TEXT, self.font, anchor)
        return self.brush.textlength(text, self.font) / FINER

    def legend(self, entries: Sequence[tuple[str, Color]]) -> None:
        """In a row above the frame."""
        x, y = LEFT + 6.0, TOP / 2
        for text, color in entries:
            corners = (x - 5, y - 5, x + 5, y + 5)
            self.brush.ellipse([corner * FINER for corner in corners], color)
            x += 10 + self.write((x + 10, y), text, "lm") + 24

    def picture(self) -> np.ndarray:
        """uint8 (SIZE, SIZE, 3)."""
        return np.asarray(self.image.resize((SIZE, SIZE), Image.Resampling.BOX))


def ticks(start: float, length: float) -> Iterator[tuple[float, str]]:
    """At most eight multiples of 1, 2 or 5 times a power of ten in [start, start + length]."""
    power = 10.0 ** math.floor(math.log10(length / 8))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if 8 * step >= length)
    for i in range(math.ceil(start / step), math.floor((start + length) / step) + 1):
        yield i * step, f"{i * step:.6g}"
