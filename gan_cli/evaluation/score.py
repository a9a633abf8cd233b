"""Computes the metrics of gan-fid and writes a metric card."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan_cli.checkpoints.choice import opened
from gan_cli.checkpoints.contents import Checkpoint, plain
from gan_cli.config.schema import Metrics
from gan_cli.evaluation.card import Card, make_card, protocol_of, unused, write_card
from gan_cli.evaluation.class_numbers import renumbered
from gan_cli.evaluation.evaluation import MetricSet
from gan_cli.evaluation.opening import check_sides, features_dataset, open_fake, open_real
from gan_cli.evaluation.options import FidOptions
from gan_cli.evaluation.report import draw_transport_plan, with_progress
from gan_cli.evaluation.sides import (
    Side,
    Statistics,
    save_statistics,
)
from gan_cli.metrics.metric import Collected, naming_side
from gan_cli.metrics.settings import parse_metrics
from gan_cli.report.run_report import refresh
from gan_cli.runtime.runtime import Runtime
from gan_cli.utils.discovery import import_modules
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.memory import EVALUATION, memory_errors
from gan_cli.utils.paths import user_path

COUNT = 10_000  # default number of samples drawn from a model


@memory_errors(EVALUATION)
def score(options: FidOptions, run: Path | None) -> tuple[Card, Path]:
    """Computes the metrics, writes the metric card, and returns it with its path."""
    import_modules(options.imports)
    settings, limit = settings_of(options)
    device = Runtime(options.device).device
    checkpoint = None if options.fake is not None else opened(options, run)
    real = open_real(options, settings, checkpoint, run)
    fake = open_fake(options, limit, settings, real, checkpoint)
    check_sides(settings, real, fake)
    metrics = MetricSet(settings, features_dataset(real, fake), device, with_progress)
    scores = {}
    with naming_side("real"):
        real_side = real.collect(metrics, 0)
    for seed in options.all_seeds:
        with naming_side("generated"):
            fake_side = numbered_as(real.class_names, fake, fake.collect(metrics, seed))
        counts = [("real", real_side.count), ("generated", fake_side.count)]
        for name, count in sorted(counts, key=lambda side: side[1] or 0):
            metrics.check_count(name, count)
        scores[seed] = metrics.score(real_side, fake_side)
    card = make_card(
        scores,
        metrics=plain(settings.compute),
        protocol=protocol_of(metrics, real.protocol(), fake.protocol()),
        subject=subject_of(options, run, checkpoint),
    )
    if options.save is not None:
        save_moments(user_path(options.save), real, real_side.moments, card["protocol"]["features"])
    path = write_card(card_path(options, run, checkpoint, metrics.name), card)
    draw_transport_plan(metrics, real_side, fake_side, path.with_suffix(".png"))
    if run is not None:
        refresh(run)
    return card, path


def numbered_as(names: Sequence[str], side: Side, collected: Collected) -> Collected:
    """Returns the side with its classes numbered in the order of `names`."""
    if collected.labels is None:
        return collected
    return replace(collected, labels=renumbered(collected.labels, side.class_names, names))


def settings_of(options: FidOptions) -> tuple[Metrics, int | None]:
    """Returns the metric settings, and the largest number of samples read from files, if set."""
    faults: list[str] = []
    limit = options.metrics.get("count")
    node = {**options.metrics, "count": COUNT if limit is None else limit}
    settings = parse_metrics(node, "metrics", faults)
    if not settings.compute and not faults:
        faults.append("metrics: names none; type metrics=[fd]")
    if faults:
        raise ConfigError(*faults)
    return settings, limit


def subject_of(
    options: FidOptions, run: Path | None, checkpoint: Checkpoint | None
) -> dict[str, Any]:
    """Returns what was compared; comparable cards may differ in these entries."""
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


def save_moments(path: Path, real: Side, moments: Any, features: Mapping[str, Any]) -> None:
    """Writes the moments of the real side; raises ConfigError if no metric has computed them."""
    if moments is None:
        raise ConfigError("save: writes the statistics of fd; add fd to metrics=[...]")
    save_statistics(path, Statistics(moments, features, real.protocol().get("content")))


def card_path(
    options: FidOptions, run: Path | None, checkpoint: Checkpoint | None, features: str
) -> Path:
    """Returns options.output, or an unused path in the cards/ of the run or of outputs/."""
    if options.output is not None:
        return user_path(options.output)
    if checkpoint is None:
        assert options.fake is not None
        return unused(Path("outputs") / "cards", f"{Path(options.fake).stem}-{features}")
    name = f"step-{checkpoint.step:07d}-{features}"
    if run is not None:
        return unused(run / "cards", name)
    return unused(Path("outputs") / "cards", f"{Path(str(options.checkpoint)).stem}-{features}")
