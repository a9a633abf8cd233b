"""Pictures of generated text."""

from collections.abc import Sequence

import numpy as np

from gan_cli.plots.figure import new_figure, to_array

ROWS, COLUMNS = 32, 69  # of characters
FONT, FONT_SIZE = "DejaVu Sans Mono", 8.6  # comes with matplotlib; points
MARGIN = 0.02  # of the width, to the left of the text
ELLIPSIS, UNKNOWN, NEWLINE = "\u2026", "\ufffd", "\u21b5"
STRIPE = "0.95"


def text_picture(lines: Sequence[str]) -> np.ndarray:
    """Up to 32 lines in a monospace font, every other one on grey; (512, 512, 3) uint8.

    Long lines are wrapped, the more the fewer the lines, and the rest is cut with an ellipsis.
    Characters that the font lacks are drawn as U+FFFD.
    """
    lines = lines[:ROWS]
    height = ROWS // max(1, len(lines))  # rows that each line may take
    row = 0
    with new_figure() as figure:
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 1), ylim=(ROWS, 0))
        axes.set_axis_off()
        known = font_characters()
        for i, line in enumerate(lines):
            wrapped = wrap(drawable(line[: ROWS * COLUMNS + 1], known), height)
            if i % 2:
                axes.axhspan(row, row + len(wrapped), facecolor=STRIPE)
            for part in wrapped:
                axes.text(MARGIN, row + 0.75, part, font=FONT, size=FONT_SIZE, parse_math=False)
                row += 1
        return to_array(figure)


def wrap(line: str, height: int) -> list[str]:
    """Cuts a line into at most `height` rows of `COLUMNS` characters.

    Words are broken and spaces are kept: both are the generator's. (textwrap keeps neither, and
    leaves of a long word nothing but the ellipsis.)
    """
    rows = [line[i : i + COLUMNS] for i in range(0, len(line), COLUMNS)] or [""]
    if len(rows) > height:
        rows = [*rows[: height - 1], rows[height - 1][:-1] + ELLIPSIS]
    return rows


def drawable(line: str, known: set[int]) -> str:
    """Replaces what cannot be drawn: control characters, lone surrogates, missing glyphs."""
    line = line.expandtabs(4).replace("\n", NEWLINE)
    return "".join(c if ord(c) in known else UNKNOWN for c in line)


def font_characters() -> set[int]:
    """Code points that `FONT` has."""
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    return set(FT2Font(findfont(FONT)).get_charmap())
