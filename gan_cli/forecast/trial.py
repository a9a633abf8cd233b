"""A few real steps of a run that keeps nothing, to measure speed, memory and sizes."""

import time
from dataclasses import dataclass, field, replace
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from gan_cli.checkpoints.resume import state_of
from gan_cli.config.schema import Config, Every, Metrics
from gan_cli.evaluation.generated import request_of
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.demand import refuse_what_cannot_fit
from gan_cli.training.previews import Previews
from gan_cli.training.run import Run
from gan_cli.utils.memory import TRAINING, memory_errors
from gan_cli.utils.peak_memory import peak_memory

WARM_UP, LEAST, MOST = 0.5, 2.0, 8.0  # seconds: before measuring, and of the measurement
STEPS = 16  # measured steps, if they take no longer; penalties may be due every 16th
ENDLESS = 2**31 - 1
SCORED = 256  # samples that are drawn and embedded to time an evaluation
SLOW_FEATURES = ("inception", "classifier")  # which may have to be downloaded or trained first


class TimeIsUpError(Exception):
    """Ends the loop of a trial."""


class Trial(Run):
    """A run that trains on the device of a config, but logs, scores and writes nothing."""

    def __init__(self, config: Config, folder: Path) -> None:
        super().__init__(silent(config), folder, Runtime(config.device))
        self.whole = config
        self.began = self.marked = time.perf_counter()
        self.measured: tuple[int, float] | None = None  # first step and start of the measurement
        self.speed = 0.0  # steps per second

    def measure(self) -> None:
        """Takes steps for some seconds, and sets `speed`."""
        with memory_errors(TRAINING):
            refuse_what_cannot_fit(self)
            self.began = self.marked = time.perf_counter()
            try:
                self.loop(Unstoppable())  # type: ignore[arg-type]
            except TimeIsUpError:
                pass
            finally:
                self.feed.close()

    def between_steps(self, draws: int) -> Exception | None:
        """Looks at the clock, in place of all that a run does at intervals."""
        if time.perf_counter() - self.marked >= WARM_UP / 2 or self.step <= 2:
            self.look_at_clock()
        self.feed.prepare(draws)
        return None

    def look_at_clock(self) -> None:
        """Waits for the device; starts the measurement, or ends it with TimeIsUpError."""
        if self.runtime.device.type == "cuda":
            torch.cuda.synchronize(self.runtime.device)
        now = self.marked = time.perf_counter()
        if self.measured is None:
            self.speed = self.step / (now - self.began)
            if self.step > 1 and now - self.began >= WARM_UP:
                self.measured = self.step, now
            elif now - self.began >= MOST:
                raise TimeIsUpError
            return
        first, start = self.measured
        self.speed = (self.step - first) / (now - start)
        enough = now - start >= LEAST and self.step - first >= STEPS
        if enough or now - self.began >= MOST:
            raise TimeIsUpError

    def save(self) -> None:
        """Writes nothing."""

    def checkpoint_bytes(self) -> int:
        """The size of a checkpoint of the whole run."""
        trial, self.config = self.config, self.whole
        sink = Counter()
        try:
            torch.save(state_of(self), sink)  # type: ignore[arg-type]
        finally:
            self.config = trial
        return sink.size

    def preview(self) -> "Preview":
        """Draws a preview once; its pictures are as large as those of the data."""
        previews = Previews(self.ema.game, self.dataset, self.feed.batches(0))
        self.feed.close()
        data = [size_of(picture) for _, picture in previews.data_pictures()]
        start = time.perf_counter()
        drawn = [size_of(picture) for _, picture in previews.pictures()]
        seconds = time.perf_counter() - start
        return Preview(seconds, sum(data), (max(data) if data else 0) * len(drawn) or sum(drawn))

    def evaluation_seconds(self) -> float | None:
        """How long the samples of an evaluation take to draw and to embed; None without metrics.

        The metrics themselves come on top. Features that may have to be fetched are left out.
        """
        metrics = self.whole.metrics
        if not metrics.compute:
            return None
        if metrics.features["name"] in SLOW_FEATURES:
            metrics = replace(metrics, compute={})
        parts = MetricSet(metrics, self.dataset, self.runtime.device)
        count = min(SCORED, self.whole.metrics.count)
        request = request_of(self.ema.game, self.dataset, count, 0)
        start = time.perf_counter()
        parts.generated(self.ema.game, self.dataset.spec, request)
        return (time.perf_counter() - start) * self.whole.metrics.count / count

    def peak_memory(self) -> int | None:
        return peak_memory(self.runtime.device)


@dataclass(frozen=True)
class Preview:
    """What one preview takes."""

    seconds: float
    data_bytes: int  # of the pictures of data, which are written once
    bytes: int


@dataclass
class Unstoppable:
    """In place of StopSignal: Ctrl-C ends a check at once."""

    received: int | None = field(default=None, init=False)


class Counter(RawIOBase):
    """A file that counts its bytes and forgets them."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        length = memoryview(data).nbytes
        self.size += length
        return length


def silent(config: Config) -> Config:
    """The config without all that is no step; turns are not compiled, which takes minutes."""
    return replace(
        config,
        steps=ENDLESS,
        every=Every(log=0, preview=0, checkpoint=0, evaluate=0),
        metrics=Metrics(compute={}),
        logger={},
        health=False,
        score_scale=False,
        device=replace(config.device, compile=False),
    )


def size_of(picture: Any) -> int:
    """Bytes of a picture as PNG."""
    file = BytesIO()
    Image.fromarray(picture.squeeze()).save(file, "png")
    return file.tell()
