"""Metrics of a model against the truncation of its latents: gan-fid truncations=0.5,1,2."""

import csv
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from rich.table import Table

from gan_cli.evaluation.card import unused
from gan_cli.evaluation.options import FidOptions
from gan_cli.evaluation.score import score
from gan_cli.plots.curves import curves
from gan_cli.utils.console import console
from gan_cli.utils.files import write_text
from gan_cli.utils.images import save_png


@dataclass(frozen=True)
class TruncationCurve:
    """The values of metrics by name, for each bound; the last bound is None, without truncation."""

    bounds: list[float | None]
    values: dict[str, list[float]]

    def rows(self) -> list[list[str]]:
        """Returns the bound and the values as text, one row for each bound."""
        columns = zip(*self.values.values(), strict=True)
        return [
            ["none" if bound is None else f"{bound:g}", *(f"{value:.6g}" for value in row)]
            for bound, row in zip(self.bounds, columns, strict=True)
        ]


def truncation_curve(options: FidOptions, run: Path | None) -> tuple[TruncationCurve, list[Path]]:
    """Scores the model for each of options.truncations and without; returns the written files.

    Each score has a metric card. Beside the cards are a table (CSV) and a plot.
    """
    assert options.truncations is not None
    bounds = [*sorted(set(options.truncations)), None]
    cards, paths = [], []
    for bound in bounds:
        cutoff = None if bound is None else options.truncation_cutoff
        one = replace(options, truncation=bound, truncations=None, truncation_cutoff=cutoff)
        card, path = score(one, run)
        cards.append(card["values"])
        paths.append(path)
    curve = TruncationCurve(bounds, {name: [card[name] for card in cards] for name in cards[0]})
    stem = f"truncation-{paths[-1].stem}"
    table = unused(paths[-1].parent, stem, ".csv")
    written = StringIO()
    csv.writer(written).writerows([["truncation", *curve.values], *curve.rows()])
    write_text(table, written.getvalue())
    picture = table.with_suffix(".png")
    known = [bound for bound in bounds if bound is not None]
    save_png(picture, curves("truncation", known, curve.values))
    return curve, [table, picture]


def print_curve(curve: TruncationCurve, files: list[Path]) -> None:
    """Prints the table of a curve, and where it was written."""
    bounds, *rows = zip(["truncation", *curve.values], *curve.rows(), strict=True)
    table = Table(*bounds, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print("\n".join(map(str, files)), markup=False, soft_wrap=True)
