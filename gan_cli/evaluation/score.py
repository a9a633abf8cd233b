"""What gan-fid does: opens both sides, measures, writes a metric card."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gan_cli.checkpoints.choice import opened
from gan_cli.checkpoints.contents import Checkpoint, plain
from gan_cli.config.schema import Metrics
from gan_cli.data.dataset import Dataset
from gan_cli.data.ground_truth import Known
from gan_cli.data.sets import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Spec
from gan_cli.evaluation.card import Card, make_card, protocol_of, unused, write_card
from gan_cli.evaluation.collect import Batch
from gan_cli.evaluation.evaluation import Panel
from gan_cli.evaluation.options import FidOptions
from gan_cli.evaluation.sides import (
    Data,
    Generated,
    Side,
    Statistics,
    open_side,
    save_statistics,
)
from gan_cli.metrics.metric import Collected, metrics, naming_side
from gan_cli.metrics.settings import parse_metrics, unmet_needs
from gan_cli.metrics.transport import Transport, picked, wasserstein
from gan_cli.plots.scatter import transport_plan
from gan_cli.report.run_report import refresh
from gan_cli.runtime.runtime import Runtime
from gan_cli.sampling.model import Model
from gan_cli.utils.console import console
from gan_cli.utils.discovery import import_modules
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import save_png

COUNT = 10_000  # samples that a model draws, unless count says otherwise


def score(options: FidOptions, run: Path | None) -> tuple[Card, Path]:
    """Measures and writes the metric card; returns it and its file."""
    import_modules(options.imports)
    settings, limit = settings_of(options)
    device = Runtime(options.device).device
    checkpoint = None if options.fake is not None else opened(options, run)
    real = open_real(options, settings, checkpoint)
    fake = open_fake(options, limit, settings, real, checkpoint)
    check(settings, real, fake)
    panel = Panel(settings, lent_to_features(real, fake), device, watched)
    scores = {}
    with naming_side("real"):
        truth = real.collect(panel, 0)
    for seed in options.all_seeds:
        with naming_side("generated"):
            drawn = fake.collect(panel, seed)
        for side, found in (("real", truth), ("generated", drawn)):
            panel.check_count(side, found.count)
        scores[seed] = panel.score(truth, drawn)
    card = make_card(
        scores,
        metrics=plain(settings.compute),
        protocol=protocol_of(panel, real.about(), fake.about()),
        subject=subject_of(options, run, checkpoint),
    )
    if options.save is not None:
        keep(Path(options.save), real, truth.moments, card["protocol"]["features"])
    written = write_card(card_path(options, run, checkpoint, panel.name), card)
    draw_plan(panel, truth, drawn, written.with_suffix(".png"))
    if run is not None:
        refresh(run)
    return card, written


def settings_of(options: FidOptions) -> tuple[Metrics, int | None]:
    """And the bound on files of samples: none unless asked for."""
    faults: list[str] = []
    limit = options.metrics.get("count")
    node = {**options.metrics, "count": COUNT if limit is None else limit}
    settings = parse_metrics(node, "metrics", faults)
    if not settings.compute and not faults:
        faults.append("metrics: names none; type metrics=[fd]")
    if faults:
        raise ConfigError(*faults)
    return settings, limit


def open_real(
    options: FidOptions, settings: Metrics, checkpoint: Checkpoint | None
) -> Data | Statistics:
    if options.real is not None:
        return open_side(
            options.real,
            "real",
            channels=channels_of(None if checkpoint is None else checkpoint.spec),
            labelled=wants_labels(settings),
            limit=settings.real_count,
        )
    node = dict(options.dataset or {})
    if "name" not in node and checkpoint is not None:  # that of the training, some keys changed
        node = {**checkpoint.dataset, **node}
    return Data(datasets.build(node, where="dataset"), settings.real_count)


def open_fake(
    options: FidOptions,
    limit: int | None,
    settings: Metrics,
    real: Side,
    checkpoint: Checkpoint | None,
) -> Side:
    if checkpoint is None:
        assert options.fake is not None
        return open_side(
            options.fake,
            "fake",
            channels=channels_of(real.dataset.spec if isinstance(real, Data) else None),
            labelled=wants_labels(settings),
            limit=limit,
        )
    model = Model(checkpoint, options.weights == "average", options.device)
    model.target()  # refused if it draws no samples
    data = real.dataset if isinstance(real, Data) else None
    if data is not None and not lends(data, model):
        data = None
    return Generated(model, data, settings.count, options.truncation)


def lent_to_features(real: Side, fake: Side) -> Dataset | None:
    """The data that features are built for; an empty set of the model's samples if there is none.

    None if both sides are saved statistics.
    """
    for side in (real, fake):
        if isinstance(side, Data):
            return side.dataset
    if not isinstance(fake, Generated):
        return None
    field = fake.model.field()
    return InMemory({"real": torch.zeros(0, *field.shape)}, field=field)


def channels_of(spec: Spec | None) -> int:
    """Of images in files: those of the other side, else RGB."""
    return spec.shape[0] if spec is not None and spec.kind == "image" else 3


def lends(data: Dataset, model: Model) -> bool:
    """Whether samples can be drawn for the labels and inputs of this data."""
    labels = not model.game.labelled or data.spec.classes == model.spec.classes
    return labels and set(model.game.inputs(model.target())) <= set(data.spec.fields)


def wants_labels(settings: Metrics) -> bool:
    needs = frozenset().union(*(metrics.entries[name].needs for name in settings.compute))
    return "labels" in needs or settings.features["name"] == "classifier"


def check(settings: Metrics, real: Data | Statistics, fake: Side) -> None:
    """ConfigError lists what a metric needs and a side does not give."""
    faults = []
    specs = [side.dataset.spec for side in (real, fake) if isinstance(side, Data)]
    specs += [fake.model.spec] if isinstance(fake, Generated) else []
    shapes = [tuple(spec.shape) for spec in specs]
    if len(set(shapes)) > 1 and settings.features["name"] != "inception":
        faults.append(
            f"fake: its samples have shape {shapes[1]}, the real ones {shapes[0]}; features="
            f"{settings.features['name']} needs equal ones"
        )
    for name in settings.compute:
        more = metrics.entries[name].needs - {"moments"}
        for key, side in (("real", real), ("fake", fake)):
            if more and isinstance(side, Statistics):
                faults.append(
                    f"{key}: saved statistics are enough for fd alone, and {name} needs "
                    f"{', '.join(sorted(more))}; give the images"
                )
    faults += unmet_needs(settings, provided(real) & provided(fake) | known(real))
    if faults:
        raise ConfigError(*faults)


def provided(side: Side) -> frozenset[str]:
    if isinstance(side, Data):
        return frozenset({"label"} if side.dataset.labels() is not None else ())
    labelled = isinstance(side, Generated) and side.model.game.labelled
    return frozenset({"label"} if labelled else ())


def known(side: Side) -> frozenset[str]:
    """Of the law that samples are drawn from."""
    if not isinstance(side, Data):
        return frozenset()
    law = {"modes": side.dataset.modes() is not None, "density": isinstance(side.dataset, Known)}
    return frozenset(name for name, there in law.items() if there)


def subject_of(
    options: FidOptions, run: Path | None, checkpoint: Checkpoint | None
) -> dict[str, Any]:
    """What was measured; these entries may differ between cards that compare."""
    real: Any = options.real or plain(options.dataset) or "the run's data set"
    if checkpoint is None:
        return {"real": real, "fake": options.fake}
    if options.real is None and not (options.dataset or {}).get("name"):
        real = {**checkpoint.dataset, **(options.dataset or {})}
    return {
        "real": real,
        "run": run and run.name,
        "checkpoint": str(checkpoint.path),
        "step": checkpoint.step,
    }


def keep(path: Path, real: Side, moments: Any, features: Mapping[str, Any]) -> None:
    if moments is None:
        raise ConfigError("save: keeps what fd needs; add fd to metrics=[...]")
    save_statistics(path, Statistics(moments, features, real.about().get("content")))


def card_path(
    options: FidOptions, run: Path | None, checkpoint: Checkpoint | None, features: str
) -> Path:
    if options.output is not None:
        return Path(options.output)
    if checkpoint is None:
        assert options.fake is not None
        return unused(Path("outputs") / "cards", f"{Path(options.fake).stem}-{features}")
    name = f"step-{checkpoint.step:07d}-{features}"
    if run is not None:
        return unused(run / "cards", name)
    return unused(Path("outputs") / "cards", f"{Path(str(options.checkpoint)).stem}-{features}")


def watched(batches: Iterable[Batch], total: int) -> Iterable[Batch]:
    """With a progress bar in a terminal."""
    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f} samples"),
        BarColumn(bar_width=30),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=total)
        for batch in batches:
            yield batch
            bar.advance(task, len(batch[0]))


def draw_plan(panel: Panel, real: Collected, fake: Collected, path: Path) -> None:
    """In the plane the plan of the exact transport can be seen."""
    metric = panel.metrics.get("transport")
    if isinstance(metric, Transport) and real.features is not None and real.features.shape[1] == 2:
        a, b = picked(real, metric.count), picked(fake, metric.count)
        save_png(path, transport_plan(a, b, wasserstein(a, b, 1)[1]))
        console.print(f"plan of W1: {path}", markup=False, soft_wrap=True)


def report(card: Card, path: Path, seconds: float) -> None:
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
