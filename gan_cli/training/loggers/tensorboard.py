"""TensorBoard: event files in the run folder."""

import shlex
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.training.loggers.backend import (
    Backend,
    Card,
    LoggedRun,
    Picture,
    Recording,
    Writing,
    loggers,
)
from gan_cli.utils.strict_json import dumps
from gan_cli.utils.wav import read_mono

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


@loggers.register("tensorboard")
class TensorBoard(Backend):
    """TensorBoard's event files in the run folder: `tensorboard --logdir outputs`."""

    def __init__(self, run: LoggedRun) -> None:
        self.run = run

    @classmethod
    def hint(cls, folder: Path) -> str:
        return f"tensorboard --logdir {shlex.quote(str(folder))}"

    @cached_property
    def writer(self) -> "SummaryWriter":
        """The writer, opened by the first entry, since the import alone takes 2.7 s.

        What an earlier session logged after the step from which it resumes is dropped.
        """
        from torch.utils.tensorboard import SummaryWriter

        step = self.run.resumed_at
        writer = SummaryWriter(str(self.run.folder), purge_step=step + 1)
        silence_event_writer()
        add_settings(writer, self.run)
        writer.add_text("config", code_block(self.run.config_text), step)
        return writer

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, picture: Picture) -> None:
        self.writer.add_image(picture.name, picture.pixels, picture.step, dataformats="HWC")

    def recording(self, recording: Recording) -> None:
        sounds, rate = read_mono(recording.path)
        self.writer.add_audio(recording.name, sounds, recording.step, sample_rate=rate)

    def writing(self, writing: Writing) -> None:
        self.writer.add_text(writing.name, code_block(writing.text), writing.step)

    def text(self, step: int, name: str, text: str) -> None:
        self.writer.add_text(name, text, step)

    def card(self, card: Card) -> None:
        content = code_block(dumps(card.content, indent=2))
        self.writer.add_text(f"cards/{card.name}", content, card.step)

    def close(self, finished: bool) -> None:  # noqa: ARG002
        if "writer" in vars(self):
            self.writer.close()


def code_block(text: str) -> str:
    """A text in the Markdown that keeps its lines as they are."""
    return "".join(f"    {line}\n" for line in text.splitlines())


def add_settings(writer: "SummaryWriter", run: LoggedRun) -> None:
    """Writes the settings for the tab HPARAMS, beside the metrics that they are compared by."""
    from torch.utils.tensorboard.summary import hparams

    metrics = dict.fromkeys(run.config.get("metrics", {}).get("compute", {}), 0.0)
    for summary in hparams(run.settings, metrics):
        writer._get_file_writer().add_summary(summary, run.resumed_at)


def silence_event_writer() -> None:
    """Keeps TensorBoard's thread from printing errors, which the next write raises anyway."""
    usual = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        if type(failure.thread).__name__ != "_AsyncWriterThread":
            usual(failure)

    threading.excepthook = hook
