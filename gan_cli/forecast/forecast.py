"""The forecast of a run: parameters, speed, time, memory and disk, from a few real steps."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gan_cli.checkpoints.files import Checkpoints
from gan_cli.config.schema import Config
from gan_cli.data.dataset import Joint
from gan_cli.data.feeds.resident import size_in_bytes
from gan_cli.forecast.disk import Disk, disk_of, times_due
from gan_cli.forecast.trial import Trial
from gan_cli.games.abilities import Evaluates
from gan_cli.report.words import duration
from gan_cli.utils.memory import as_size


@dataclass(frozen=True)
class Forecast:
    """What a run will take."""

    device: str
    parameters: dict[str, tuple[int, int]]  # by network: trainable, all
    samples: int
    shape: tuple[int, ...]
    kind: str
    feed: str
    data_bytes: int | None  # None: drawn anew for every batch
    images_per_second: float
    measured_steps: int
    steps: int  # that are left
    training_seconds: float
    previews: int
    preview_seconds: float  # of one
    evaluations: int
    evaluation_seconds: float | None  # of one: drawing and embedding; None: not measured
    memory: int | None  # peak bytes of the measured steps
    on_gpu: bool
    disk: Disk

    @property
    def seconds(self) -> float:
        """The time of the whole run."""
        evaluations = self.evaluations * (self.evaluation_seconds or 0.0)
        return self.training_seconds + self.previews * self.preview_seconds + evaluations

    def entries(self) -> dict[str, Any]:
        """The forecast as plain data."""
        return {**asdict(self), "seconds": self.seconds}

    def rows(self) -> Iterator[tuple[str, str]]:
        """What is forecast, and its value in words."""
        counts = (f"{role} {words_of(*count)}" for role, count in self.parameters.items())
        yield "device", self.device
        yield "parameters", ", ".join(counts)
        size = "" if self.data_bytes is None else f", {as_size(self.data_bytes)}"
        shape = "x".join(map(str, self.shape))
        yield "data", f"{self.samples:,} samples ({self.kind}, {shape}), {self.feed}{size}"
        rate = self.images_per_second
        speed = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
        yield "speed", f"{speed} images/s, over {self.measured_steps} steps"
        yield "time", self.time_in_words()
        where = "of the GPU" if self.on_gpu else "of the process"
        yield "memory", f"{as_size(self.memory)} {where} at most" if self.memory else "not known"
        yield "disk", self.disk_in_words()

    def time_in_words(self) -> str:
        """Hours of the run, and what previews and evaluations add."""
        parts = [f"{self.steps:,} steps: {duration(self.training_seconds)}"]
        if self.previews:
            parts.append(f"{self.previews} previews of {duration(self.preview_seconds)}")
        if self.evaluations and self.evaluation_seconds is not None:
            each = duration(self.evaluation_seconds)
            parts.append(f"{self.evaluations} evaluations of at least {each}")
        return f"{duration(self.seconds)} ({', '.join(parts)})"

    def disk_in_words(self) -> str:
        """Files of the run, and how much of the disk is free."""
        disk = self.disk
        parts = [f"{disk.checkpoints} checkpoints of {as_size(disk.checkpoint)}"]
        if disk.previews:
            parts.append(f"{disk.previews} previews, {as_size(disk.pictures)} in all")
        free = f"; {as_size(disk.free)} are free" if disk.free is not None else ""
        return f"{as_size(disk.total)} ({', '.join(parts)}){free}"


def words_of(trainable: int, total: int) -> str:
    """Numbers of parameters in words."""
    if trainable == total:
        return f"{total:,}"
    return f"{total:,}, frozen" if not trainable else f"{trainable:,} of {total:,} trainable"


def forecast_of(trial: Trial, folder: Path) -> Forecast:
    """Measures a trial and computes what the whole run takes."""
    config: Config = trial.whole
    trial.measure()
    steps, done = config.steps, (Checkpoints(folder / "checkpoints").steps() or [0])[-1]
    left = max(0, steps - done)
    preview = trial.preview() if config.every.preview else None
    scored = bool(config.metrics.compute) or isinstance(trial.game, Evaluates)
    evaluated = trial.evaluation_seconds() if config.every.evaluate else None
    spec = trial.dataset.spec
    return Forecast(
        device=trial.runtime.describe(),
        parameters=parameters_of(trial),
        samples=len(trial.dataset),
        shape=spec.shape,
        kind=spec.kind,
        feed=trial.feed.kind,
        data_bytes=bytes_of(trial),
        images_per_second=trial.speed * config.batch_size,
        measured_steps=trial.step,
        steps=left,
        training_seconds=left / trial.speed,
        previews=times_due(config.every.preview, left),
        preview_seconds=preview.seconds if preview else 0.0,
        evaluations=times_due(config.every.evaluate, left) if scored else 0,
        evaluation_seconds=evaluated,
        memory=trial.peak_memory(),
        on_gpu=trial.runtime.device.type == "cuda",
        disk=disk_of(config, folder, trial.checkpoint_bytes(), preview, scored),
    )


def parameters_of(trial: Trial) -> dict[str, tuple[int, int]]:
    """Trainable and all parameters of each network."""
    trained = {id(p) for player in trial.players.values() for p in player.parameters}
    return {
        role: (
            sum(p.numel() for p in network.parameters() if id(p) in trained),
            sum(p.numel() for p in network.parameters()),
        )
        for role, network in trial.game.networks.items()
    }


def bytes_of(trial: Trial) -> int | None:
    """The size of all samples in stored form; None if they are drawn anew for every batch."""
    if trial.feed.kind == "endless":
        return None
    dataset = trial.dataset
    parts = dataset.parts() if isinstance(dataset, Joint) else (dataset,)
    return sum(map(size_in_bytes, parts))
