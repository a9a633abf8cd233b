"""Weights & Biases."""

import os
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Literal

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

PATIENCE = 60.0  # seconds that the start of a training waits for the service
UPLOAD = 120.0  # seconds that its end waits for uploads; `wandb sync` does the rest
Mode = Literal["online", "offline", "disabled"]
REFUSED = "/\\#?%:"  # characters that no project may have


@loggers.register("wandb")
class WandB(Backend):
    """Weights & Biases; needs `pip install 'gan-cli[wandb]'` and, unless offline, `wandb login`."""

    modules = ("wandb",)
    install = "gan-cli[wandb]"

    def __init__(
        self,
        run: LoggedRun,
        *,
        project: str = "gan_cli",  # that the run belongs to
        entity: str | None = None,  # user or team; null: your default one
        name: str | None = None,  # of the run there; null: that of the run folder
        tags: tuple[str, ...] = (),  # of the run there
        mode: Mode | None = None,  # null: WANDB_MODE, else online
    ) -> None:
        import wandb

        self.memory = Memory(run, "wandb")
        online = (mode or os.environ.get("WANDB_MODE") or "online") == "online"
        self.run: Any = wandb.init(
            project=project,
            entity=entity,
            name=name or run.name,
            tags=tags,
            mode=mode,
            dir=str(run.folder),
            config=run.config,
            id=self.memory.id,
            resume="allow" if self.memory.id and online else None,
            allow_val_change=True,
            reinit="create_new",
            settings=wandb.Settings(
                console="off", quiet=True, init_timeout=PATIENCE, finish_timeout=UPLOAD
            ),
        )
        self.memory.id = str(self.run.id)
        if online:  # the service alone knows what a killed run has sent
            self.memory.skip(int(getattr(self.run, "starting_step", 0)) - 1)
        self.memory.save(self.memory.before)

    @classmethod
    def option_errors(cls, options: Options) -> Iterator[str]:
        if set(REFUSED) & set(options["project"]) or not options["project"].strip():
            yield (
                f"project: is a name without any of {' '.join(REFUSED)}, got "
                f"'{options['project']}'; type logger.wandb.project=NAME"
            )
        mode = options["mode"] or os.environ.get("WANDB_MODE") or "online"
        if mode == "online" and not logged_in():
            yield (
                "mode: nobody is logged in; type wandb login, set WANDB_API_KEY, or type "
                "logger.wandb.mode=offline"
            )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.log(step, dict(values))

    def picture(self, picture: Picture) -> None:
        import wandb

        self.log(picture.step, {picture.name: wandb.Image(str(picture.path))})

    def recording(self, recording: Recording) -> None:
        import wandb

        self.log(recording.step, {f"{recording.name}_sound": wandb.Audio(str(recording.path))})

    def writing(self, writing: Writing) -> None:
        self.text(writing.step, f"{writing.name}_text", writing.text)

    def text(self, step: int, name: str, text: str) -> None:
        import wandb

        self.log(step, {name: wandb.Html(f"<pre>{escape(text)}</pre>", inject=False)})

    def card(self, card: Card) -> None:
        """Puts a metric card into the summary, and tells the direction of its metrics."""
        for metric, lower in card.content["lower_is_better"].items():
            self.run.define_metric(metric, summary="min,last" if lower else "max,last")
        self.run.summary[f"cards/{card.name}"] = card.content

    def log(self, step: int, entries: dict[str, Any]) -> None:
        """Logs the entries of a step, which is written once a later one follows."""
        if self.memory.is_new(step, ""):
            self.run.log(entries, step=step)

    def close(self, finished: bool) -> None:
        self.run.finish(exit_code=0 if finished else 1)
        self.memory.save(self.memory.latest)


def logged_in() -> bool:
    """Whether there is a key for the service: in the environment or from `wandb login`."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    import wandb

    try:
        return bool(wandb.login(prompt=False, verify=False))
    except TypeError:  # before 0.27
        return bool(wandb.api.api_key)
