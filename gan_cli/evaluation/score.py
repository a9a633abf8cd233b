"""What gan-fid does: open both sides, measure, write a card."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gan_cli.checkpoints.contents import plain
from gan_cli.checkpoints.files import State
from gan_cli.config.schema import Metrics
from gan_cli.data.ground_truth import Known
from gan_cli.data.sets import datasets
from gan_cli.evaluation.card import Card, make_card, protocol_of, unused, write_card
from gan_cli.evaluation.collect import Batch
from gan_cli.evaluation.evaluation import Panel
from gan_cli.evaluation.request import FidConfig
from gan_cli.evaluation.sides import Data, Model, Side, Statistics, open_side, save_statistics
from gan_cli.metrics.metric import Collected, metrics
from gan_cli.metrics.settings import unmet
from gan_cli.metrics.transport import Transport, picked, wasserstein
from gan_cli.plots.scatter import transport_plan
from gan_cli.report.run_report import refresh
from gan_cli.runtime.runtime import Runtime
from gan_cli.sampling.generate import opened
from gan_cli.sampling.sampler import Sampler
from gan_cli.training.progress import console
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import save_png
from gan_cli.validation.validate import import_modules

COUNT = 10_000  # samples that a model draws, unless count says otherwise


def score(config: FidConfig, run: Path | None) -> float:
    """Measure, print a table, write the card; the first value."""
    started = time.monotonic()
    import_modules(config.imports)
    settings, limit = settings_of(config)
    device = Runtime(config.device).device
    path, state = (None, None) if config.fake is not None else opened(config, run)
    real = open_real(config, settings, state)
    fake = open_fake(config, limit, settings, real, state)
    check(settings, real, fake)
    data = next((side.dataset for side in (real, fake) if isinstance(side, Data)), None)
    panel = Panel(settings, data, device, watched)
    truth, scores = real.collect(panel, 0), {}
    for seed in config.all_seeds:
        drawn = fake.collect(panel, seed)
        for side, found in (("real", truth), ("generated", drawn)):
            panel.check_count(side, found.count)
        scores[seed] = panel.score(truth, drawn)
    card = make_card(
        scores,
        metrics=plain(settings.compute),
        protocol=protocol_of(panel, real.about(), fake.about()),
        subject=subject_of(config, run, path, state),
    )
    if config.save is not None:
        keep(Path(config.save), real, truth.moments, card["protocol"]["features"])
    written = write_card(card_path(config, run, state, panel.name), card)
    draw_plan(panel, truth, drawn, written.with_suffix(".png"))
    if run is not None:
        refresh(run)
    report(card, written, time.monotonic() - started)
    return next(iter(card["values"].values()))


def settings_of(config: FidConfig) -> tuple[Metrics, int | None]:
    """And the bound on files of samples: none unless asked for."""
    faults: list[str] = []
    limit = config.metrics.get("count")
    node = {**config.metrics, "count": COUNT if limit is None else limit}
    settings = Metrics.from_config(node, "metrics", faults)
    if not settings.compute and not faults:
        faults.append("metrics: names none; type metrics=[fd]")
    if faults:
        raise ConfigError(*faults)
    return settings, limit


def open_real(config: FidConfig, settings: Metrics, state: State | None) -> Data | Statistics:
    if config.real is not None:
        channels = 3 if state is None else state["spec"]["shape"][0]
        labelled = wants_labels(settings)
        limit = settings.real_count
        return open_side(config.real, "real", channels=channels, labelled=labelled, limit=limit)
    node = dict(config.dataset or {})
    if "name" not in node and state is not None:  # that of the training, with some keys changed
        node = {**state["config"]["dataset"], **node}
    return Data(datasets.build(node, where="dataset"), settings.real_count)


def open_fake(
    config: FidConfig, limit: int | None, settings: Metrics, real: Side, state: State | None
) -> Side:
    if state is None:
        assert config.fake is not None
        channels = real.dataset.spec.shape[0] if isinstance(real, Data) else 3
        labelled = wants_labels(settings)
        return open_side(config.fake, "fake", channels=channels, labelled=labelled, limit=limit)
    sampler = Sampler(state, config.weights == "average", config.device)
    labels = real.dataset if isinstance(real, Data) else None
    if labels is not None and labels.spec.classes != sampler.spec.classes:
        labels = None
    return Model(sampler, labels, settings.count, config.weights, config.truncation)


def wants_labels(settings: Metrics) -> bool:
    needs = frozenset().union(*(metrics.entries[name].needs for name in settings.compute))
    return "labels" in needs or settings.features["name"] == "classifier"


def check(settings: Metrics, real: Data | Statistics, fake: Side) -> None:
    """ConfigError lists what a metric needs and a side does not give."""
    faults = []
    shapes = [tuple(side.dataset.spec.shape) for side in (real, fake) if isinstance(side, Data)]
    shapes += [tuple(fake.sampler.spec.shape)] if isinstance(fake, Model) else []
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
    faults += unmet(settings, provided(real) & provided(fake) | known(real))
    if faults:
        raise ConfigError(*faults)


def provided(side: Side) -> frozenset[str]:
    if isinstance(side, Data):
        return frozenset({"label"} if side.dataset.labels() is not None else ())
    return frozenset({"label"} if isinstance(side, Model) and side.sampler.conditional else ())


def known(side: Side) -> frozenset[str]:
    """Of the law that samples are drawn from."""
    if not isinstance(side, Data):
        return frozenset()
    law = {"modes": side.dataset.modes() is not None, "density": isinstance(side.dataset, Known)}
    return frozenset(name for name, there in law.items() if there)


def subject_of(
    config: FidConfig, run: Path | None, path: Path | None, state: State | None
) -> dict[str, Any]:
    """What was measured; these entries may differ between cards that compare."""
    told: dict[str, Any] = {"real": config.real or plain(config.dataset) or "the run's data set"}
    if state is None:
        return told | {"fake": config.fake}
    if config.real is None and not (config.dataset or {}).get("name"):
        told["real"] = {**state["config"]["dataset"], **(config.dataset or {})}
    return told | {"run": run and run.name, "checkpoint": str(path), "step": state["step"]}


def keep(path: Path, real: Side, moments: Any, features: Mapping[str, Any]) -> None:
    if moments is None:
        raise ConfigError("save: keeps what fd needs; add fd to metrics=[...]")
    save_statistics(path, Statistics(moments, features, real.about().get("content")))


def card_path(config: FidConfig, run: Path | None, state: State | None, features: str) -> Path:
    if config.output is not None:
        return Path(config.output)
    if state is None:
        assert config.fake is not None
        return unused(Path("outputs") / "cards", f"{Path(config.fake).stem}-{features}")
    name = f"step-{state['step']:07d}-{features}"
    if run is not None:
        return unused(run / "cards", name)
    return unused(Path("outputs") / "cards", f"{Path(str(config.checkpoint)).stem}-{features}")


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
