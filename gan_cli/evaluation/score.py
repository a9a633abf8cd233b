"""Computes the metrics of gan-fid and writes a metric card."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan_cli.checkpoints.choice import opened
from gan_cli.checkpoints.contents import Checkpoint, plain
from gan_cli.config.schema import Metrics
from gan_cli.evaluation.card import Card, make_card, protocol_of, unused, write_card
from gan_cli.evaluation.class_numbers import renumbered
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.evaluation.opening import (
    features_dataset,
    open_fake,
    open_model,
    open_real,
)
from gan_cli.evaluation.options import FidOptions
from gan_cli.evaluation.report import draw_transport_plan, with_progress
from gan_cli.evaluation.side_checks import check_sides
from gan_cli.evaluation.sides import Side
from gan_cli.evaluation.statistics_side import Statistics, save_statistics
from gan_cli.metrics.metric import Collected, naming_side
from gan_cli.metrics.settings import parse_metrics
from gan_cli.report.run_report import refresh
from gan_cli.runtime.runtime import Runtime
from gan_cli.utils.discovery import import_modules
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.files import check_writable
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
    model = open_model(options, checkpoint)
    real = open_real(options, settings, checkpoint, run, model)
    fake = open_fake(options, limit, settings, real, model, run)
    check_sides(settings, real, fake)
    metrics = MetricSet(settings, features_dataset(real, fake), device, with_progress)
    check_files(options, metrics, card_path(options, run, checkpoint, metrics.name).parent)
    scores = {}
    with naming_side("real"):
        real_side = real.collect(metrics, 0)
    for seed in options.all_seeds:
        with naming_side("generated"):
            fake_side = numbered_as(real.class_names, fake, fake.collect(metrics, seed))
        counts = [("real", real_side.count), ("generated", fake_side.count)]
        for name, count in sorted(counts, key=lambda side: side[1] or 0):
            metrics.check_count(name, count)
        found = metrics.score(real_side, fake_side)
        if model is not None and model.turned:  # named as in training
            found = found.named(model.spec.target)
        scores[seed] = found
    card = make_card(
        scores,
        metrics=plain(settings.compute),
        protocol=protocol_of(metrics, real.protocol(), fake.protocol()),
        subject=subject_of(options, run, checkpoint),
    )
    path = card_path(options, run, checkpoint, metrics.name)
    write_results(options, card, path, real, real_side.moments)
    plan = unused(path.parent, path.stem, ".png")
    draw_transport_plan(metrics, real_side, fake_side, plan)
    if run is not None:
        refresh(run)
    return card, path


def check_files(options: FidOptions, metrics: MetricSet, cards: Path) -> None:
    """Raises an error now if the results could not be written after a long computation."""
    if options.save is not None:
        if "moments" not in metrics.needs:
            raise ConfigError("save: writes the statistics of fd; add fd to metrics=[...]")
        check_writable(user_path(options.save).parent)
    check_writable(cards)


def write_results(options: FidOptions, card: Card, path: Path, real: Side, moments: Any) -> None:
    """Writes options.save and the card, or neither; StorageError, with the values."""
    saved = None if options.save is None else user_path(options.save)
    try:
        if saved is not None:
            features = card["protocol"]["features"]
            save_statistics(saved, Statistics(moments, features, real.protocol().get("content")))
        write_card(path, card)
    except StorageError as error:
        if saved is not None:
            saved.unlink(missing_ok=True)  # or the same command would refuse to replace it
        values = ", ".join(f"{name} {value:.6g}" for name, value in card["values"].items())
        raise StorageError(f"{error}; the values are: {values}") from error


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
