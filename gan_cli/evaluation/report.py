"""What gan-fid shows on the terminal: progress, the table of values, a transport plan."""

from collections.abc import Iterable
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gan_cli.evaluation.card import Card
from gan_cli.evaluation.collect import Batch
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.metrics.metric import Collected
from gan_cli.metrics.transport import Transport, picked, wasserstein
from gan_cli.plots.scatter import transport_plan
from gan_cli.utils.console import console
from gan_cli.utils.images import save_png


def with_progress(batches: Iterable[Batch], total: int) -> Iterable[Batch]:
    """Yields the batches and shows a progress bar in terminals; `total` counts samples."""
    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f} samples"),
        BarColumn(bar_width=30),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=total)
        for batch in batches:
            yield batch
            bar.advance(task, len(batch[0]))


def draw_transport_plan(metrics: MetricSet, real: Collected, fake: Collected, path: Path) -> None:
    """Draws the plan of exact transport if it was computed and features are points in the plane."""
    metric = metrics.metrics.get("transport")
    if isinstance(metric, Transport) and real.features is not None and real.features.shape[1] == 2:
        a, b = picked(real, metric.count), picked(fake, metric.count)
        save_png(path, transport_plan(a, b, wasserstein(a, b, 1)[1]))
        console.print(f"plan of W1: {path}", markup=False, soft_wrap=True)


def print_card(card: Card, path: Path, seconds: float) -> None:
    """Prints a table of the values, the numbers of samples, warnings and the card's path."""
    protocol = card["protocol"]
    table = Table("", "value", *(["+- (seeds)"] if "spread" in card else []), box=None)
    for name, value in card["values"].items():
        spread = [f"{card['spread'][name]:.2g}"] if "spread" in card else []
        table.add_row(name, f"{value:.6g}", *spread)
    console.print(table)
    counts = (f"{protocol[side].get('count', 'unknown')} {side}" for side in ("fake", "real"))
    lines = [
        f"{' and '.join(counts)} samples, features {protocol['features']['name']}",
        *(f"warning: {warning}" for warning in card["warnings"]),
        f"{seconds:.0f} s; card: {path}",
    ]
    console.print("\n".join(lines), markup=False, soft_wrap=True)
