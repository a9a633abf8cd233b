"""Tables for spreadsheets and data frames, in the run folder."""

from collections.abc import Mapping

from gan_cli.training.loggers.backend import (
    Backend,
    Card,
    LoggedRun,
    Picture,
    Recording,
    Writing,
    loggers,
)
from gan_cli.training.loggers.tables import Table
from gan_cli.utils.files import write_text


@loggers.register("csv")
class CSV(Backend):
    """CSV tables in the folder csv/ of the run: metrics.csv has one row for each logged step."""

    def __init__(self, run: LoggedRun) -> None:
        self.folder, step = run.folder / "csv", run.resumed_at
        self.run = run
        self.metrics = Table(self.folder / "metrics.csv", step, merged=True)
        self.pictures = Table(self.folder / "pictures.csv", step)
        self.texts = Table(self.folder / "texts.csv", step)
        self.cards = Table(self.folder / "cards.csv", step)
        settings = Table(self.folder / "settings.csv", -1)
        for key, value in run.settings.items():
            settings.add({"step": step, "key": key, "value": value})
        write_text(self.folder / "config.yaml", run.config_text, durable=False)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.metrics.add({"step": step, **values})

    def picture(self, picture: Picture) -> None:
        self.file(picture)

    def recording(self, recording: Recording) -> None:
        self.file(recording)

    def writing(self, writing: Writing) -> None:
        self.file(writing)

    def file(self, entry: Picture | Recording | Writing) -> None:
        """Adds a file of samples to pictures.csv."""
        file = entry.path.relative_to(self.run.folder).as_posix()
        self.pictures.add({"step": entry.step, "name": entry.name, "file": file})

    def text(self, step: int, name: str, text: str) -> None:
        self.texts.add({"step": step, "name": name, "text": text})

    def card(self, card: Card) -> None:
        for metric, value in card.content["values"].items():
            lower = card.content["lower_is_better"].get(metric)
            better = "" if lower is None else "lower" if lower else "higher"
            row = {"step": card.step, "card": card.name, "metric": metric, "value": value}
            self.cards.add({**row, "better": better})
