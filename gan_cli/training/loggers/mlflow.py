"""MLflow."""

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gan_cli.training.loggers.backend import (
    Backend,
    Card,
    LoggedRun,
    Options,
    Picture,
    Recording,
    Writing,
    loggers,
)
from gan_cli.training.loggers.memory import Memory
from gan_cli.utils.text import unknown

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SERVERS, DATABASES = ("http", "https", "databricks"), ("sqlite", "postgresql", "mysql", "mssql")
ENVIRONMENT = {  # what a user has set stays
    "MLFLOW_ALLOW_FILE_STORE": "true",  # newer versions refuse folders without it
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # 7 would stop a training for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds
}
PARAMETERS, LENGTH = 100, 6000  # parameters in a request, characters in one


@loggers.register("mlflow")
class MLflow(Backend):
    """MLflow; needs `pip install 'gan-cli[mlflow]'`. Without a server, files in the run folder."""

    modules = ("mlflow",)
    install = "gan-cli[mlflow]"

    def __init__(
        self,
        run: LoggedRun,
        *,
        tracking_uri: str
        | None = None,  # server or folder; null: MLFLOW_TRACKING_URI, else the run's mlruns/
        experiment: str = "gan_cli",  # that the run belongs to; made if it does not exist
        name: str | None = None,  # of the run there; null: that of the run folder
        tags: dict[str, str] | None = None,  # of the run there, as {key: value}
    ) -> None:
        for key, value in ENVIRONMENT.items():
            os.environ.setdefault(key, value)
        from mlflow.tracking import MlflowClient

        logging.getLogger("urllib3").setLevel(logging.ERROR)  # or each repeated request is a line
        self.memory, self.names = Memory(run, "mlflow"), set[str]()
        self.texts: dict[str, str] = {}
        address = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        self.client = MlflowClient(address or (run.folder / "mlruns").absolute().as_uri())
        wanted = {**(tags or {}), "mlflow.runName": name or run.name}
        if self.memory.id is None:
            made = self.client.create_run(experiment_id(self.client, experiment), tags=wanted)
            self.memory.id = str(made.info.run_id)
        else:
            self.client.update_run(self.id, status="RUNNING")
        self.memory.save(self.memory.before, self.memory.names)
        log_settings(self.client, self.id, run)

    @property
    def id(self) -> str:
        return str(self.memory.id)

    @classmethod
    def option_errors(cls, options: Options) -> Iterator[str]:
        uri = options["tracking_uri"] or os.environ.get("MLFLOW_TRACKING_URI") or ""
        scheme = urlsplit(uri).scheme.partition("+")[0] if "://" in uri else ""
        known = ("file", *SERVERS, *DATABASES)
        if scheme and scheme not in known:
            yield f"tracking_uri: {unknown('scheme', scheme, known)}; type a folder or http://..."
        if scheme in DATABASES and find_spec("sqlalchemy") is None:
            yield "tracking_uri: a database needs all of MLflow; pip install mlflow"
        if not options["experiment"].strip():
            yield "experiment: is empty; type logger.mlflow.experiment=NAME"

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        if step > self.memory.latest:
            self.names.clear()
        new = {name: value for name, value in values.items() if self.memory.is_new(step, name)}
        now = int(time.time() * 1000)
        metrics = [Metric(safe(name), float(value), now, step) for name, value in new.items()]
        if metrics:
            self.client.log_batch(self.id, metrics=metrics)
            self.names |= set(new)
            self.memory.save(step, self.names)

    def picture(self, picture: Picture) -> None:
        self.client.log_artifact(self.id, str(picture.path), "samples")

    def recording(self, recording: Recording) -> None:
        self.client.log_artifact(self.id, str(recording.path), "samples")

    def writing(self, writing: Writing) -> None:
        self.client.log_artifact(self.id, str(writing.path), "samples")

    def text(self, step: int, name: str, text: str) -> None:
        """Writes texts/<name>-<step>.txt with all texts of the step."""
        file = f"texts/{name}-{step:07d}.txt"
        self.texts = {file: self.texts.get(file, "") + text + "\n"}
        self.client.log_text(self.id, self.texts[file], file)

    def card(self, card: Card) -> None:
        self.client.log_artifact(self.id, str(card.path), "cards")

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.id, "FINISHED" if finished else "FAILED")


def experiment_id(client: "MlflowClient", name: str) -> str:
    """The id of an experiment, which is made if it does not exist."""
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def log_settings(client: "MlflowClient", run_id: str, run: LoggedRun) -> None:
    """Logs the config as config.yaml, and its settings as parameters.

    MLflow's parameters never change: those of a resumed run are those of its start.
    """
    from mlflow.entities import Param

    known = client.get_run(run_id).data.params
    settings = {safe(key): str(value)[:LENGTH] for key, value in run.settings.items()}
    new = [Param(key, value) for key, value in settings.items() if key not in known]
    for some in (new[i : i + PARAMETERS] for i in range(0, len(new), PARAMETERS)):
        client.log_batch(run_id, params=some)
    client.log_text(run_id, run.config_text, "config.yaml")


def safe(name: str) -> str:
    """A name with only those characters that MLflow accepts."""
    return re.sub(r"[^\w./ -]", "_", name)
